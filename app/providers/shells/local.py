"""Scripts in a sandbox of this host: /bin/sh in its root, in a session of their own, with little to use up.

    ROOT/.windlass/TOKEN/{script,group,output,exit}
    ROOT/.windlass/TOKEN.lock

Whoever runs the script of a token holds its lock for as long as it lives: the kernel lets go of it, whatever
ends the script. The exit code is renamed into its place, so it is there whole or not at all. A script goes on
when the worker that began it is gone.
"""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO

from app.domain.errors import CloudUnreachable, StepTimedOut
from app.providers.shells import Ran

OUTPUT_BYTES = 8_192  # Bytes of the end of an output that are kept.
SEALED = Path(__file__).with_name("sealed.py")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Standard input is the lock: it is the wrapper's alone, what the script leaves behind does not hold it.
WRAPPED = (
    '/bin/sh "$1/script" </dev/null >"$1/output" 2>&1; echo $? >"$1/exit.part"; mv "$1/exit.part" "$1/exit"'
)


@dataclass(frozen=True)
class LocalShell:
    """The sandbox whose root this is."""

    root: Path

    def run(self, script: str, env: Mapping[str, str], *, within_s: float) -> Ran:
        """Run a script that only looks, to its end; what it left running does not keep this waiting."""
        self._check_there()
        with tempfile.TemporaryFile() as output:  # Not a pipe: it would be open until the last one lets go.
            child = self._spawn(["-c", script], env, stdin=subprocess.DEVNULL, stdout=output)
            try:
                code = child.wait(timeout=within_s)
            except subprocess.TimeoutExpired:
                _kill(child.pid)
                child.wait()
                raise StepTimedOut(f"A script did not end within {within_s:g} s") from None
            return Ran(code, _end(output))

    def start(self, token: str, script: str, env: Mapping[str, str]) -> None:
        """Begin a script, unless one was begun under this token and has not died without a word."""
        self._check_there()
        folder = self._folder(token)
        with self._lock(token) as (lock, free):
            if not free or self.ended(token) is not None:
                return
            rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "script").write_text(script)
            child = self._spawn(["-c", WRAPPED, "sh", str(folder)], env, stdin=lock, detached=True)
            (folder / "group").write_text(str(child.pid))
            child.wait()

    def begun(self, token: str) -> bool:
        """Whether a script was begun under this token."""
        return self._folder(token).is_dir()

    def ended(self, token: str) -> Ran | None:
        """How the script of a token ended; None while it runs."""
        folder = self._folder(token)
        try:
            code = int((folder / "exit").read_text())
            with (folder / "output").open("rb") as output:
                return Ran(code, _end(output))
        except FileNotFoundError:
            return None

    def stop(self, token: str) -> None:
        """End the script of a token, with all that it began, and forget the token."""
        if not self.root.is_dir():
            return
        with self._lock(token) as (_lock, free):
            if not free:
                _kill(self._group(token))
            rmtree(self._folder(token), ignore_errors=True)

    def _spawn(
        self,
        arguments: list[str],
        env: Mapping[str, str],
        *,
        stdin: IO[bytes] | int,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        detached: bool = False,
    ) -> "subprocess.Popen[bytes]":
        """A sealed shell in a session of its own."""
        python = (sys.executable, "-I", "-S", str(SEALED))
        how = ("--detached",) if detached else ()
        return subprocess.Popen(
            [*python, *how, str(self.root), "/bin/sh", *arguments],
            cwd=self.root,
            env={"PATH": PATH, "HOME": str(self.root), "WL_ROOT": str(self.root), "LC_ALL": "C", **env},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @contextmanager
    def _lock(self, token: str) -> Iterator[tuple[IO[bytes], bool]]:
        """The file that the script of a token keeps locked, and whether nobody had it."""
        home = self.root / ".windlass"
        home.mkdir(exist_ok=True)
        with (home / f"{token}.lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield lock, False
            else:
                yield lock, True

    def _folder(self, token: str) -> Path:
        return self.root / ".windlass" / token

    def _group(self, token: str) -> int:
        try:
            return int((self._folder(token) / "group").read_text())
        except (FileNotFoundError, ValueError):
            told = "The script is only just being begun by somebody else"
            raise CloudUnreachable(told, nothing_happened=True) from None

    def _check_there(self) -> None:
        if not self.root.is_dir():
            raise CloudUnreachable(f"The sandbox {self.root.parent.name} is not there", nothing_happened=True)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _end(output: IO[bytes]) -> str:
    """The end of what was written; the file is read from where it fits."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_BYTES))
    return output.read().decode(errors="replace").strip()
