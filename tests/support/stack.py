"""The whole service as an operator starts it: `windlass up` on free ports, its processes easy to find."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from app.config import Settings, environment, load
from app.host import up
from tests.support.ports import free_port, free_ports
from tests.support.servers import is_alive, until

# What distinguishes a process of the service from its siblings: words that stand in its command line.
ROLES: dict[str, tuple[str, ...]] = {
    "api": ("app.serving", "app.api.application:guarded"),
    "apps": ("app.serving", "app.api.apps.application:make"),
    "valkey": ("valkey.conf",),
    "lab": ("app.lab",),
    "worker": ("app.cli", "worker"),
    "worker-default": ("celery", "default@%h"),
    "worker-bmc": ("celery", "bmc@%h"),
    "worker-kube": ("celery", "kube@%h"),
    "worker-cloud": ("celery", "cloud@%h"),
    "worker-webhook": ("celery", "webhook@%h"),
    "worker-app": ("celery", "app@%h"),
    "reconciler": ("app.cli", "reconciler"),
    "projector": ("app.cli", "projector"),
}
CLASSES = ("bmc", "kube", "cloud", "webhook")  # Of queues, beside the default one.
WORKING = ("worker-default", *(f"worker-{name}" for name in CLASSES), "worker-app", "reconciler")
FEW = "3"  # Pool processes of the default queue.
START_S, STOP_S = 90.0, 300.0
CHECK_EVERY_S = 0.2  # Each check reads the whole process table, which the service needs the processor for.


class Stack:
    """API, worker host, reconciler and lab on one backend, without Flower."""

    def __init__(
        self, state: Path, environ: Mapping[str, str], log: Path, *, only: Collection[str] | None = None
    ) -> None:
        """`environ` holds DATABASE_URL and REDIS_URL, or nothing for SQLite and the embedded Valkey.

        `only` names the classes of queues that are served beside the default one. There is then no lab, no
        apps API, one API worker and few pool processes: every start of one costs processor time.
        """
        self._whole = only is None
        self._classes = CLASSES if only is None else tuple(only)
        absent = {f"WINDLASS_{name.upper()}_PROCESSES": "0" for name in {*CLASSES} - {*self._classes}}
        few = {"WINDLASS_API_WORKERS": "1", "WINDLASS_WORKER_PROCESSES": FEW, "WF_ENABLE_POLLER": "false"}
        lean = {} if self._whole else {**few, **absent}
        ports = {"port": free_port(), "valkey_port": free_port(), "lab_port": free_ports(7)}
        ports["apps_port"] = free_port()
        self.settings: Settings = load(
            {"WINDLASS_REGION": "test", **lean, **environ}, state_dir=str(state), **ports
        )
        self._log = log
        self._up: psutil.Process | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return up.local_url(self.settings)

    @property
    def lab_url(self) -> str:
        """The base URL of the lab's control API."""
        return up.lab_url(self.settings)

    def start(self) -> None:
        """Start everything; returns when the API is ready and the worker processes are there."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "app.cli",
                    "up",
                    "--no-flower",
                    "--lab" if self._whole else "--no-apps",
                ],
                cwd=Path(__file__).parents[2],
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._up = psutil.Process(self._process.pid)
        until(
            lambda: self.has_ended() or up.is_ready(self.settings), START_S, "the API is ready", CHECK_EVERY_S
        )
        assert not self.has_ended(), self._log.read_text()
        some = ("worker-default", *(f"worker-{name}" for name in self._classes), "reconciler")
        for role in WORKING if self._whole else some:
            until(lambda role=role: self.find(role), START_S, role, CHECK_EVERY_S)  # type: ignore[misc]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as Ctrl-C does, or kill the supervisor; its exit status once all its processes are gone."""
        assert self._process is not None
        family = self.family()
        self._process.send_signal(number)
        status = self._process.wait(STOP_S)
        _, left = psutil.wait_procs(family, STOP_S)
        assert not left, f"still there: {left}"
        return status

    def find(self, role: str) -> psutil.Process | None:
        """The process of a role, while it lives."""
        wanted = ROLES[role]
        for process in self.family():
            with suppress(psutil.Error):
                # A forked pool process shows its parent's command line.
                line = " ".join(process.cmdline())
                parent = " ".join(psutil.Process(process.ppid()).cmdline())
                if all(word in line for word in wanted) and line != parent and is_alive(process.pid):
                    return process
        return None

    def pool(self, role: str) -> list[psutil.Process]:
        """The pool processes of a Celery main."""
        main = self.find(role)
        return main.children() if main else []

    def kill(self, role: str) -> None:
        """Kill -9 one process and wait until another serves in its place."""
        before = until(lambda: self.find(role), why=role)
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)
        until(
            lambda: (now := self.find(role)) is not None and now.pid != before.pid,
            START_S,
            f"a new {role}",
            CHECK_EVERY_S,
        )

    def family(self) -> list[psutil.Process]:
        """Every process of the service but the supervisor."""
        assert self._up is not None
        with suppress(psutil.NoSuchProcess):
            return list(self._up.children(recursive=True))
        return []

    def close(self) -> None:
        """Kill whatever is left."""
        if self._process is not None and self._process.poll() is None:
            for process in [*self.family(), self._up]:
                with suppress(psutil.NoSuchProcess):
                    process.kill() if process else None
            self._process.wait(STOP_S)

    def has_ended(self) -> bool:
        """Whether it does not run, or not yet."""
        return self._process is None or self._process.poll() is not None
