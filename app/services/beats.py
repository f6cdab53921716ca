"""What a process says of itself again and again, for as long as it lives."""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


def keep_saying(name: str, say: Callable[[], object], every_s: float) -> None:
    """Say it in a thread of this name; ``<name>.untold`` is logged when something was in the way."""

    def goes_on() -> None:
        while True:
            try:
                say()
            except Exception as error:  # Whatever was in the way: it is said again, or nobody would know.
                log.warning(f"{name}.untold", error=str(error))  # noqa: G004 - the name of the event
            time.sleep(every_s)

    threading.Thread(target=goes_on, name=name, daemon=True).start()
