"""Scripts in a sandbox of this host: /bin/sh in its root, in a session of their own, with little to use up.

    ROOT/.windlass/TOKEN/{pid,output,exit}

The folder of a token is made by whoever is first. The exit code is renamed into its place, so it is there
whole or not at all. A script goes on when the worker that began it is gone.
"""

import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from app.domain.errors import CloudUnreachable, StepTimedOut
from app.providers.shells import Ran

TOLD = 8_192  # Characters of the end of an output that are kept.
LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 1 << 30,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CPU: 3_600,
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The script's own exit code, in a file that appears when it is whole.
WRAPPED = '/bin/sh "$1/script" >"$1/output" 2>&1; echo $? >"$1/exit.part"; mv "$1/exit.part" "$1/exit"'


@dataclass(frozen=True)
class LocalShell:
    """The sandbox whose root this is."""

    root: Path

    def run(self, script: str, env: Mapping[str, str], *, within_s: float) -> Ran:
        """Run a script that only looks, to its end."""
        self._check_there()
        child = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=self.root,
            env=self._environ(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_limit,
        )
        try:
            output, _ = child.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            _kill(child.pid)
            child.communicate()
            raise StepTimedOut(f"A script did not end within {within_s:g} s") from None
        return Ran(child.returncode, _end(output))

    def start(self, token: str, script: str, env: Mapping[str, str]) -> None:
        """Begin a script, unless one was begun under this token and has not died without a word."""
        self._check_there()
        folder = self._folder(token)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists() and self.ended(token) is None and not self._is_alive(token):
            rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
        except FileExistsError:
            return
        (folder / "script").write_text(script)
        child = subprocess.Popen(
            ["/bin/sh", "-c", WRAPPED, "sh", str(folder)],
            cwd=self.root,
            env=self._environ(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_limit,
        )
        (folder / "pid").write_text(str(child.pid))

    def ended(self, token: str) -> Ran | None:
        """How the script of a token ended; None while it runs."""
        folder = self._folder(token)
        try:
            code = int((folder / "exit").read_text())
        except FileNotFoundError:
            return None
        output = (folder / "output").read_bytes() if (folder / "output").exists() else b""
        return Ran(code, _end(output))

    def stop(self, token: str) -> None:
        """End the script of a token, with all that it began, and forget the token."""
        with suppress(FileNotFoundError, ValueError):
            if self.ended(token) is None:
                _kill(int((self._folder(token) / "pid").read_text()))
        rmtree(self._folder(token), ignore_errors=True)

    def _folder(self, token: str) -> Path:
        return self.root / ".windlass" / token

    def _is_alive(self, token: str) -> bool:
        try:
            pid = int((self._folder(token) / "pid").read_text())
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"

    def _check_there(self) -> None:
        if not self.root.is_dir():
            raise CloudUnreachable(f"The sandbox {self.root.parent.name} is not there", nothing_happened=True)

    def _environ(self, env: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": PATH, "HOME": str(self.root), "WL_ROOT": str(self.root), "LC_ALL": "C", **env}


def _limit() -> None:
    for what, most in LIMITS.items():
        resource.setrlimit(what, (most, most))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end(output: bytes) -> str:
    return output[-TOLD:].decode(errors="replace").strip()
