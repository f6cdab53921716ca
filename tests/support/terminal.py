"""`windlass` in a terminal of a given width: what stands on the screen, line by line."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

import pyte

LINES = 400  # Longer than anything that is printed, so that nothing scrolls away.


def screen(args: Sequence[str], columns: int, **environ: str) -> list[str]:
    """The lines that the command leaves on the screen; they are as wide as the terminal, at most."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "app.cli", *args]
    environment = {**inherited, "TERM": "xterm-256color", **environ}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = _all_of(ours)
    child.wait(60)
    os.close(ours)
    drawn = pyte.Screen(columns, LINES)
    pyte.ByteStream(drawn).feed(written)
    return [line.rstrip() for line in drawn.display if line.strip()]


def _all_of(terminal: int) -> bytes:
    """What was written until the other side closed it."""
    written = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # EIO: no process has it open any more.
            return written
        if not piece:
            return written
        written += piece
