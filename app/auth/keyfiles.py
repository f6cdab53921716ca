"""Key files in the state folder, made once however many processes ask first.

1. The content is written to a file of its own (mode 0600) and flushed to disk.
2. A hard link gives it its name: the file system lets exactly one process win, and nobody ever sees a
   file that is half written.
3. Everybody, winner or not, reads what is there.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.config import Settings, SettingsError

SECRET_BYTES = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def key_folder(settings: Settings) -> Path:
    """``<state>/keys``, made on first use and closed to other users."""
    folder = settings.state / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def state_secret(settings: Settings, name: str) -> bytes:
    """The 32 random bytes kept in ``<state>/keys/<name>``, the same for every process and every start."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a key file")
    content = read_or_create(key_folder(settings) / name, lambda: secrets.token_bytes(SECRET_BYTES))
    if len(content) != SECRET_BYTES:
        raise SettingsError(f"{key_folder(settings) / name} does not hold a key of {SECRET_BYTES} bytes")
    return content


def read_or_create(path: Path, make: Callable[[], bytes], mode: int = 0o600) -> bytes:
    """The content of a file; when there is none, `make` provides it and exactly one maker wins."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    draft = _draft(path, make(), mode)
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _flush_folder(path.parent)
    return path.read_bytes()


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Give a file a new content; readers see the old or the new one, never a part."""
    _draft(path, content, mode).replace(path)
    _flush_folder(path.parent)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that one process at a time changes what is in it."""
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _draft(path: Path, content: bytes, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _flush_folder(folder: Path) -> None:
    """A new name survives a power cut only once its folder is on disk; a lost sealing key loses secrets."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
