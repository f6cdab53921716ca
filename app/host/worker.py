"""The worker host: the Celery worker mains of one machine and a reconciler, kept alive by one parent.

A worker main may exit when Redis restarts under load, so none runs without a parent; the reconciler stands
beside them as a process of its own, since it has to work when Celery does not.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from app.cli.exits import Exit
from app.config import Settings, environment
from app.domain.apps.words import QUEUE
from app.host import checks, programs
from app.host.child import CannotStart, Child
from app.host.supervise import Supervisor

APP_LOOKS = 4  # Threads that look for messages of apps; they are delivered by others.
AUTHORED = "workflows"  # What the worker of code workflows is called.
STOP_MARGIN_S = 5.0  # What a host needs to end beyond the time that it gives to running steps.


def children(
    settings: Settings,
    *,
    queues: Sequence[str] = (),
    processes: int | None = None,
    reconcile: bool = True,
    name: str = "",
) -> tuple[Child, ...]:
    """The processes of a worker host; without queues it serves all, one main per class of queue.

    `name` tells two hosts on one machine apart. SIGTERM gives running steps `soft_shutdown_s` to end.
    """
    classes: dict[str, tuple[tuple[str, ...], int]] = {
        "default": (("default",), settings.worker_processes),
        "bmc": (("bmc",), settings.bmc_processes),
        "kube": (("kube",), settings.kube_processes),
        "cloud": (("cloud",), settings.cloud_processes),
        "webhook": (("webhook",), settings.webhook_processes),
        QUEUE: ((QUEUE,), APP_LOOKS if settings.apps_poller else 0),
    }
    if queues:
        # Messages of apps are delivered by threads, whatever else this host serves.
        others = tuple(one for one in queues if one != QUEUE)
        kind = AUTHORED if settings.imports else queues[0]
        classes = {QUEUE: classes[QUEUE]} if others != tuple(queues) else {}
        if others:
            classes[others[0] if kind == QUEUE else kind] = (others, settings.worker_processes)
    suffix = f".{name}" if name else ""
    mains = tuple(
        Child(
            name=f"worker-{kind}",
            argv=_main(settings, f"{kind}{suffix}", served, count, processes),
            # Celery's own soft shutdown sleeps its whole timeout though the work may have ended long before.
            # A warm one ends with the work; this parent sets the limit, and leases hand over what is left.
            env=environment(settings, REMAP_SIGTERM=""),
            # They stop before the reconciler does, which then hands back what they could not end.
            stage=1,
            grace_s=settings.soft_shutdown_s,
        )
        for kind, (served, count) in classes.items()
        if count
    )
    beside = Child(name="reconciler", argv=programs.reconciler(), env=environment(settings))
    return (*mains, beside) if reconcile else mains


def _main(
    settings: Settings, name: str, served: Sequence[str], count: int, processes: int | None
) -> tuple[str, ...]:
    if served == (QUEUE,):
        return programs.worker(settings, name, served, count, "threads")
    return programs.worker(settings, name, served, processes or count)


def announced(settings: Settings) -> tuple[str, ...]:
    """Let a process of its own import the authors' modules and announce their workflows; the queues to serve.

    This one never runs what others wrote. Raises `CannotImport`, or `CannotStart` with what went wrong there.
    """
    from app.services import authored  # Here and not above: other commands need nothing of it.

    authored.check(settings)
    done = subprocess.run(
        programs.announce(),
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line.removeprefix("Error: ") for line in done.stderr.splitlines() if line.startswith("Error: ")]
    if done.returncode == Exit.USAGE and said:
        raise authored.CannotImport(said[0].removesuffix(f" [{authored.CannotImport.code}]"))
    if done.returncode:
        why = said[0] if said else f"status {done.returncode}: {done.stderr[-500:]}"
        raise CannotStart(f"The workflows cannot be announced: {why}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def run(settings: Settings, hosted: Sequence[Child], *, logs: Path | None = None, name: str = "") -> None:
    """Keep the children alive until SIGTERM; `drain` finds this process by its pid file."""
    checks.state_folder(settings.state)
    with _pid_file(settings.state, name):
        Supervisor(hosted, logs=logs).run()


def drain(settings: Settings, name: str = "") -> int:
    """Let the running steps of this machine's worker host end, then end it; its process id.

    Raises `CannotStart` when there is none, or when it outlives its grace.
    """
    pid = running(settings, name)
    if pid is None:
        raise CannotStart(f"No worker host runs on the state folder {settings.state}.")
    # The process is watched and not its file, which it removes a moment before it is gone; nor its
    # command line, which the kernel takes away before it lets go of the process.
    with suppress(ProcessLookupError), _watched(pid) as host:
        signal.pidfd_send_signal(host, signal.SIGTERM)
        patience = settings.soft_shutdown_s + 2 * STOP_MARGIN_S
        if not select.select([host], [], [], patience)[0]:
            raise CannotStart(f"The worker host (process {pid}) has not ended; see its log.")
    return pid


def running(settings: Settings, name: str = "") -> int | None:
    """The process of the worker host that runs on this state folder under this name."""
    pid = _named(_pid_path(settings.state, name))
    return pid if pid is not None and _is_host(pid) else None


@contextmanager
def _watched(pid: int) -> Iterator[int]:
    """A descriptor of the process that becomes readable when it has ended, reaped by its parent or not."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _pid_file(state: Path, name: str) -> Iterator[None]:
    """Hold the name on this state folder; raises `CannotStart` when another worker host holds it."""
    path = _pid_path(state, name)
    with path.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            held.seek(0)
            called = f" called {name!r}" if name else ""
            raise CannotStart(
                f"A worker host{called} (process {held.read().strip()}) runs on the state folder {state} "
                "already: drain it, or give this one another name with --name."
            ) from error
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)  # The file stays: whoever comes next must meet the lock on this very one.


def _pid_path(state: Path, name: str) -> Path:
    return state / (f"worker-{name}.pid" if name else "worker.pid")


def _named(path: Path) -> int | None:
    """The process that a pid file names."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _is_host(pid: int) -> bool:
    """Whether the process lives and is a worker host; a zombie has no command line any more."""
    with suppress(OSError):
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False
