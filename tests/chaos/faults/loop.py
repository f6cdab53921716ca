"""An event loop in a thread of its own, so that a proxy works while its test waits."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 10.0


class Loop:
    """Runs coroutines for other threads until it is closed."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        """Cancel what still runs and end the thread; harmless when repeated."""
        if self._loop.is_closed():
            return
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


async def pause(seconds: float) -> None:
    """Let so much time pass."""
    if seconds > 0:
        passed = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(seconds, _resolve, passed)
        await passed


def _resolve(passed: "asyncio.Future[None]") -> None:
    if not passed.done():
        passed.set_result(None)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await pause(0.01)  # Transports that were closed let go of their sockets in the loop's next turns.
