"""Reports that a process repeats for as long as it lives."""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


def keep_saying(name: str, say: Callable[[], object], every_s: float) -> None:
    """Call ``say`` again and again in a thread of this name; ``<name>.untold`` is logged when it raises."""

    def goes_on() -> None:
        while True:
            try:
                say()
            except Exception as error:  # The thread must live: the next report may succeed.
                log.warning(f"{name}.untold", error=str(error))  # noqa: G004 - the name of the event
            time.sleep(every_s)

    threading.Thread(target=goes_on, name=name, daemon=True).start()
