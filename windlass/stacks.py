"""The traceback of an exception as text that is kept with a failure: the author's frames, causes, capped."""

import re
import traceback
from types import TracebackType

LONGEST = 8_000  # Characters that are kept: the beginning and, twice as long, the end.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
OURS = ("windlass", "app", "tasks")  # Packages whose frames come before those of a body.


def stack_of(error: BaseException) -> str:
    """How it came to this exception, with what caused it; what it says of values is its message alone."""
    try:
        told = traceback.TracebackException(type(error), error, _authors(error.__traceback__), compact=True)
        text = "".join(told.format())
    except Exception as failure:  # An exception of an author may refuse to be looked at.
        text = f"(its traceback could not be written: {type(failure).__name__})"
    return shortened(legible(text))


def legible(text: str) -> str:
    """The text with U+FFFD in place of what no database can store: NUL and halves of surrogate pairs."""
    return UNSTORABLE.sub("\ufffd", text)


def shortened(text: str) -> str:
    """The text, or its beginning and its end, which says what was raised."""
    if len(text) <= LONGEST:
        return text
    head = LONGEST // 3
    return f"{text[:head]}\n… {len(text) - LONGEST} characters are left out …\n{text[head - LONGEST :]}"


def _authors(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is not ours; all of it when there is none."""
    first = trace
    while first is not None and _is_ours(first):
        first = first.tb_next
    return first or trace


def _is_ours(trace: TracebackType) -> bool:
    module = str(trace.tb_frame.f_globals.get("__name__"))
    return module.partition(".")[0] in OURS
