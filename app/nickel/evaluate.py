"""From the text of a Nickel program to the JSON value it stands for.

1. Two programs at a time are evaluated by this process, five wait, and what comes on top is refused for now.
2. Each has a child of its own (`child`), without environment, in a folder that holds our schema alone.
3. What the child answers is a text of a stranger: it is bounded, and errors lose colours and paths.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.domain.batch import words
from app.domain.batch.invalid import InvalidDefinition, too_many
from app.domain.batch.reader import depth_of
from app.domain.errors import Unavailable
from app.domain.json import texts_of

LIBRARY = Path(__file__).with_name("library")  # Programs import "schemas/workflows.ncl" from there.
CHILD = Path(__file__).with_name("child.py")
LARGEST_SOURCE = 1 << 20
LARGEST_RESULT = 4 << 20
AT_ONCE, WAITING = 2, 5
WALL_S = 10.0  # A program may wait for the processor beside its five seconds of it.
RETRY_AFTER_S = 2
LONGEST_ERROR = 4_000
NO_FILES = (
    "Nothing can be imported here, because the kernel of this host has no Landlock (Linux 5.13 has it): "
    "leave the import out, the result is checked without it"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r"(?:<python>|\bpython):(\d+:\d+)")
_IMPORT = re.compile(r"\s*error: import of ")
_admitted = threading.BoundedSemaphore(AT_ONCE + WAITING)
_running = threading.BoundedSemaphore(AT_ONCE)


class NickelRefused(InvalidDefinition):
    """The Nickel program cannot be evaluated."""

    status = 400


def installed() -> str | None:
    """The version of Nickel there is, None without one."""
    return version("py-nickel") if find_spec("nickel") else None


def evaluate(source: str, folders: Sequence[Path] = ()) -> Any:
    """The value of a program, which may import from our schemas and from these folders.

    Raises `NickelRefused` with one of NICKEL_ERROR, NICKEL_RESOURCE_LIMIT and NICKEL_IMPORT_FORBIDDEN,
    `InvalidDefinition` where Nickel is not installed or cannot be confined, and `Unavailable` while too many
    wait.
    """
    if len(source.encode()) > LARGEST_SOURCE:
        raise too_many("bytes of Nickel", LARGEST_SOURCE, len(source.encode()))
    if installed() is None:
        missing = "This service has no Nickel: install windlass[batch], or submit the definition as JSON"
        raise InvalidDefinition("BACKEND_UNAVAILABLE", missing, {"extra": "batch"})
    with _place():
        said, status = _ask(source, [*folders, LIBRARY])
    if status or not said or said[:1] not in b"+-!?":
        raise _limit(said)
    text = said[1:].decode(errors="replace")
    if said[:1] == b"?":
        why = f"This host cannot confine a Nickel program ({text}): submit the definition as JSON"
        raise InvalidDefinition("BACKEND_UNAVAILABLE", why)
    if said[:1] != b"+":
        raise _error(text, folders, has_files=said[:1] == b"-")
    return _value(text)


@contextmanager
def _place() -> Iterator[None]:
    if not _admitted.acquire(blocking=False):
        raise Unavailable(
            f"{AT_ONCE + WAITING} Nickel programs are being evaluated or wait; try again soon.",
            retryAfter=RETRY_AFTER_S,
        )
    try:
        with _running:
            yield
    finally:
        _admitted.release()


def _ask(source: str, folders: Sequence[Path]) -> tuple[bytes, int]:
    """What the child says, at most a byte more than is allowed, and its status."""
    argv = (sys.executable, "-I", str(CHILD), *(str(folder.resolve()) for folder in folders))
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd=folders[0],
        start_new_session=True,
    ) as child:
        assert child.stdin and child.stdout
        ending = threading.Timer(WALL_S, child.kill)
        ending.start()
        try:
            _tell(child.stdin, source)
            said = child.stdout.read(LARGEST_RESULT + 2)
            if len(said) > LARGEST_RESULT:
                child.kill()  # It would wait for ever to be read.
            return said, child.wait()
        finally:
            child.kill()
            ending.cancel()


def _tell(stdin: Any, source: str) -> None:
    with suppress(BrokenPipeError):  # It ended before it had read everything; its status says how.
        stdin.write(source.encode())
        stdin.close()


def _value(text: str) -> Any:
    found = json.loads(text)
    if (depth := depth_of(found)) > words.MOST_DEPTH:
        raise too_many("depth of the result", words.MOST_DEPTH, depth)
    # PostgreSQL stores no U+0000. Only where the text has the escape is it worth a walk.
    if "\\u0000" in text and any("\0" in one for one in texts_of(found)):
        raise NickelRefused("NICKEL_ERROR", "The result holds a character that is not text (U+0000)")
    return found


def _limit(said: bytes) -> NickelRefused:
    if len(said) > LARGEST_RESULT:
        what = f"its result has more than {LARGEST_RESULT} bytes"
    else:
        what = "it needs more time or memory than a definition may take (5 seconds, 512 MiB)"
    return NickelRefused("NICKEL_RESOURCE_LIMIT", f"The Nickel program was stopped: {what}")


def _error(text: str, folders: Sequence[Path], *, has_files: bool) -> NickelRefused:
    """Nickel's own words, without colours and without our paths."""
    plain = _COLOURS.sub("", text)
    for folder in (*folders, LIBRARY):
        plain = plain.replace(f"{folder.resolve()}/", "").replace(str(folder.resolve()), ".")
    plain = _PLACE.sub(r"definition:\1", plain).replace("when parsing python", "of the definition")
    plain = plain[:LONGEST_ERROR]
    first = next((line for line in plain.splitlines() if line.strip()), "error")
    place = re.search(r"definition:(\d+):(\d+)", plain)
    at = f" (line {place[1]}, column {place[2]})" if place else ""
    if _IMPORT.match(plain):
        said = 'Only "schemas/workflows.ncl" can be imported' if has_files else NO_FILES
        return NickelRefused("NICKEL_IMPORT_FORBIDDEN", f"{said}{at}", {"nickel": plain})
    return NickelRefused("NICKEL_ERROR", first.removeprefix("error: ") + at, {"nickel": plain})
