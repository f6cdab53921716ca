"""What must hold before anything starts here; each failure is one sentence that names the remedy."""

import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.host.child import CannotStart

OTHERS = 0o077  # What a group and everybody may do.
LISTENING = "0A"  # The state of a listening socket in /proc/net/tcp.


def state_folder(state: Path) -> None:
    """The state folder exists and can be written; it is ours alone, because keys live in it."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state):
            pass
        _close(state)
    except OSError as error:
        raise CannotStart(
            f"The state folder {state} cannot be written ({error.strerror}): "
            "make it writable or name another with WINDLASS_STATE_DIR."
        ) from error


def _close(state: Path) -> None:
    """Take from others what somebody made with a wider mask, when it is ours to take."""
    for path in (state, *state.glob("windlass.db*")):
        status = path.stat()
        if status.st_uid == os.geteuid() and status.st_mode & OTHERS:
            path.chmod(status.st_mode & 0o7777 & ~OTHERS)


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder for this process; raises `CannotStart` when another holds it."""
    with (state / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise CannotStart(
                f"Windlass already runs on the state folder {state} (process {lock.read().strip()}): "
                "stop it, or name another folder with WINDLASS_STATE_DIR."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def port_free(host: str, port: int, setting: str) -> None:
    """Nobody listens on the port; `setting` is the variable that names another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            why = (
                f"is in use{_by(port)}"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise CannotStart(
                f"Port {port} of {host} {why}: free it or choose another with {setting}."
            ) from error


def _by(port: int) -> str:
    """Who listens on a port, as far as this user may know: " by valkey-server (process 12)"."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(file.readlink()) in sockets for file in (process / "fd").iterdir()):
                return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listeners(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for columns in (line.split() for line in lines):
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]
