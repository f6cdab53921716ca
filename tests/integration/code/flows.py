"""Bodies of steps for tests of code workflows: they note what they did, and meet trouble on demand."""

from collections.abc import Callable
from typing import Any

from windlass.calls import Gone

DONE: list[Any] = []  # What bodies did, in order.
TROUBLE: dict[Any, Callable[[], Any]] = {}  # What happens in a body after it has noted what it did.


class Killed(Gone):
    """The worker is gone, in the middle of a body."""


class Rejected(Exception):
    """An author's own error."""


def reset() -> None:
    """Forget what earlier tests did and wished."""
    DONE.clear()
    TROUBLE.clear()


def note(what: Any, *_more: Any) -> Any:
    """A body ran."""
    DONE.append(what)
    if what in TROUBLE:
        TROUBLE[what]()
    return what


def unnote(what: Any, *_more: Any, result: Any = None) -> None:
    """The undo of a note."""
    note(f"undo {what}" if result is not None else f"undo {what}?")


def fails(times: int = 10**9, error: type[BaseException] = Rejected) -> Callable[[], None]:
    """Trouble that raises so many times."""
    left = [times]

    def raise_() -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error("told to fail")

    return raise_


def dies(times: int = 1) -> Callable[[], None]:
    """Trouble that takes the worker away so many times."""
    return fails(times, Killed)
