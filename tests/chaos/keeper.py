"""Keeps the processes of a site alive, as systemd would: started again a moment after they die, for ever.

``python -m tests.chaos.keeper FILE`` reads ``{"logs": folder, "children": [{"name", "argv", "env"}]}``. It
is a process of its own, so that nothing that the campaign does can keep it from looking.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

from app.host.child import Child, Life

RESTART_S = 0.1  # systemd's RestartSec.
LOOK_S = 0.05
GRACE_S = 8.0


def keep(lives: list[Life], stopped: threading.Event) -> None:
    """Start everything, and start again what has ended, until stopped; then stop everything."""
    while not stopped.is_set():
        now = time.monotonic()
        for life in lives:
            if life.ended(now) is not None:
                life.due = now + RESTART_S
            if life.pid is None and life.due <= now:
                life.start(now)
        stopped.wait(LOOK_S)
    for life in lives:
        life.send(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while any(_lingers(life) for life in lives) and time.monotonic() < deadline:
        threading.Event().wait(LOOK_S)
    for life in lives:
        life.send_group(signal.SIGKILL)


def _lingers(life: Life) -> bool:
    life.ended(time.monotonic())
    return life.pid is not None


def main() -> None:
    """Keep what the file names until SIGTERM."""
    given = json.loads(Path(sys.argv[1]).read_text())
    children = [Child(name=one["name"], argv=tuple(one["argv"]), env=one["env"]) for one in given["children"]]
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    keep([Life(child, Path(given["logs"])) for child in children], asked)


if __name__ == "__main__":
    main()
