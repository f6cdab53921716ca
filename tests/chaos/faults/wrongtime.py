"""Makes a process of a site start with a wrong clock; named in `Setting.inside`.

Debian's libfaketime lies to a process about the time. A process that begins while its command line is in the
site's table of clocks begins once more under the library, with a file of its own that holds by how much.
Another number in that file makes the clock jump. The clock that only counts is left alone:
machines do not lose that one.
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from tests.chaos.ledger import VARIABLE

TABLE, FOLDER = "clocks.json", "clocks"
LIES = "FAKETIME_TIMESTAMP_FILE"


def begin() -> None:
    """Begin again under the library, when this process is in the table and has not yet."""
    table = Path(os.environ[VARIABLE]).parent / TABLE
    if LIES in os.environ:
        time.sleep = sleep
        return
    if not table.exists():
        return
    clocks = json.loads(table.read_text())
    words = " ".join(sys.orig_argv)
    for word, shift_s in clocks["shifts"].items():
        if word in words:
            file = table.parent / FOLDER / str(os.getpid())
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{shift_s:+d}")
            os.execve(sys.executable, sys.orig_argv, {**os.environ, **_lies(clocks["library"], file)})


def sleep(seconds: Any) -> None:
    """As Python's own, whose system call fails under libfaketime 0.9.10 when it leaves one clock alone."""
    select.select((), (), (), float(seconds))


def _lies(library: str, file: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": library,
        LIES: str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


if __name__ in os.environ.get("CHAOS_INSIDE", "").split():
    begin()
