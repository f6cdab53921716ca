"""Everything on one machine: database, Valkey, API, worker host, Flower and, if asked for, the lab."""

import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.config import Settings, environment
from app.host import checks, programs, valkey, worker
from app.host.child import CannotStart, Child
from app.host.supervise import Supervisor, say

LAB_PASSWORD = "windlass-lab"  # Opens simulated machines on loopback and nothing else.
LAB_COUNT = 3


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What the operator asked for beside the service itself."""

    lab: bool = False  # The simulated machines.
    flower: bool = True
    apps: bool = True  # The apps API, and the worker that delivers messages of apps.
    exit_when_done: bool = False  # Whether all stops by itself once the job is done.
    job: Callable[[], int] | None = None  # Runs once everything is ready; its result is the exit status.


def run(settings: Settings, wish: UpOptions) -> int:
    """Start everything, do the job beside it, and stop all on Ctrl-C or, if wished, when it is done.

    Returns the job's exit status, 0 without a job. Raises `CannotStart` with one sentence.
    """
    if wish.lab and not settings.boot_url:
        settings = replace(settings, boot_url=lab_url(settings))  # The lab's machines boot from the lab.
    checks.state_folder(settings.state)
    with checks.only_one(settings.state):
        orphan = None if settings.redis_url else valkey.clear_orphan(settings)
        if orphan:
            say(f"Stopped the Valkey (process {orphan}) that an earlier start left behind.")
        for host, port, setting in ports(settings, wish):
            checks.port_free(host, port, setting)
        upgrade(settings, lab=wish.lab)
        job = _Job(settings, wish)
        supervisor = Supervisor(children(settings, wish), logs=settings.state / "logs")
        supervisor.run(lambda: job.goes_on() or not wish.exit_when_done)
        return job.status


def children(settings: Settings, wish: UpOptions) -> tuple[Child, ...]:
    """The processes of `windlass up`, in stages: what others need, the APIs, then workers."""
    env = environment(settings)
    valkeys = () if settings.redis_url else (valkey.child(settings),)
    labs = (_lab(settings),) if wish.lab else ()
    api = Child(
        name="api",
        argv=programs.api(settings),
        # Whoever starts everything on one machine need not make a key first; see `Settings.serves_keyless`.
        env=environment(replace(settings, keyless=True)),
        stage=1,
        ready=lambda: is_ready(settings),
    )
    apps = (apps_api(settings),) if wish.apps else ()
    apis = (api, *apps, *((_batch_api(settings),) if settings.batch_port else ()))
    host = Child(
        name="worker",
        argv=(*programs.windlass(), "worker", "--logs", str(settings.state / "logs")),
        env=environment(replace(settings, imports="", apps_poller=settings.apps_poller and wish.apps)),
        stage=2,
        grace_s=settings.soft_shutdown_s + worker.STOP_MARGIN_S,
        restart_when_done=False,  # `windlass worker drain` shall last.
    )
    authored = (_authored(settings, env),) if settings.imports else ()
    projector = Child(name="projector", argv=programs.projector(), env=env, stage=2)
    flower = Child(name="flower", argv=programs.flower(settings), env=env, stage=2, grace_s=5)
    return (*valkeys, *labs, *apis, host, *authored, projector, *((flower,) if wish.flower else ()))


def apps_api(settings: Settings) -> Child:
    """The apps API."""
    return Child(
        name="apps",
        argv=programs.apps(settings),
        env=environment(settings),
        stage=1,
        ready=lambda: _is_ready(apps_url(settings)),
    )


def _batch_api(settings: Settings) -> Child:
    """The API on a second port."""
    return Child(
        name="batches",
        argv=programs.batches(settings),
        env=environment(replace(settings, keyless=True)),
        stage=1,
        ready=lambda: _is_ready(_local(settings.host, settings.batch_port)),
    )


def ports(settings: Settings, wish: UpOptions) -> Iterator[tuple[str, int, str]]:
    """Every TCP port that is about to be listened on: host, number, the variable that changes it."""
    yield settings.host, settings.port, "PORT"
    if wish.apps:
        yield settings.apps_host, settings.apps_port, "WINDLASS_APPS_PORT"
    if settings.batch_port:
        yield settings.host, settings.batch_port, "WINDLASS_BATCH_PORT or --batch-port"
    if not settings.redis_url:
        yield "127.0.0.1", settings.valkey_port, "WINDLASS_VALKEY_PORT"
    if wish.flower:
        yield "127.0.0.1", settings.flower_port, "WINDLASS_FLOWER_PORT"
    if wish.lab:
        for port in range(settings.lab_port, settings.lab_port + LAB_COUNT + 4):
            yield "127.0.0.1", port, "WINDLASS_LAB_PORT"


def is_ready(settings: Settings) -> bool:
    """Whether the API says that it is ready for work."""
    return _is_ready(local_url(settings))


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def local_url(settings: Settings) -> str:
    """The API's address as this machine reaches it, whatever it listens on."""
    return _local(settings.host, settings.port)


def apps_url(settings: Settings) -> str:
    """The address of the apps API, as this machine reaches it."""
    return _local(settings.apps_host, settings.apps_port)


def _local(host: str, port: int) -> str:
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}
    return f"http://{anywhere.get(host, host)}:{port}"


def lab_url(settings: Settings) -> str:
    """The address of the lab's control API."""
    return f"http://127.0.0.1:{settings.lab_port}"


def addresses(settings: Settings, wish: UpOptions) -> str:
    """What the operator reads once everything is up: addresses, folders, commands to try."""
    url, batches = local_url(settings), bool(settings.batch_port)
    return "\n".join(
        (
            "Windlass is up. Ctrl-C stops it.",
            f"  Console      {url}/console/",
            f"  API docs     {url}/docs",
            f"  Runs         {url}/v1/workflows/runs",
            *([f"  Batches      {_local(settings.host, settings.batch_port)}/v1/workflows/batch"] * batches),
            *([f"  Apps         {apps_url(settings)}"] * wish.apps),
            *([f"  Flower       http://127.0.0.1:{settings.flower_port}/"] * wish.flower),
            f"  State, logs  {settings.state}, {settings.state / 'logs'}",
            *(f"  Try          {_windlass()} {words}" for words in ("type list", "run list", "doctor")),
        )
    )


class _Job:
    """The operator's job, in a thread beside the supervisor."""

    def __init__(self, settings: Settings, wish: UpOptions) -> None:
        self.status = 0
        self._settings = settings
        self._wish = wish
        self._thread: threading.Thread | None = None

    def goes_on(self) -> bool:
        """Whether the job still runs; the first call, once everything is ready, starts it."""
        if self._thread is None:
            say(addresses(self._settings, self._wish))
            # A daemon: Ctrl-C must not wait for the job. It speaks HTTP alone, never SQL.
            self._thread = threading.Thread(target=self._work, name="job", daemon=True)
            self._thread.start()
        return self._thread.is_alive()

    def _work(self) -> None:
        self.status = 1  # Until the job says otherwise, also when it raises.
        self.status = self._wish.job() if self._wish.job else 0


def _windlass() -> str:
    """The `windlass` command as it can be typed here."""
    program = Path(sys.executable).with_name("windlass")
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def upgrade(settings: Settings, *, lab: bool = False) -> None:
    """Bring the tables up to date, in a process of its own: this one never loads SQL.

    With ``lab`` the accounts of its clouds are known afterwards.
    """
    argv = (*programs.windlass(), "db", "upgrade", *(("--lab",) if lab else ()))
    done = subprocess.run(
        argv, env=environment(settings), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        # Of a traceback only the end says what is wrong; our own errors say it in their first line.
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        why = said[-1] if said[0].startswith("Traceback") else said[0]
        raise CannotStart(f"The database cannot be brought up to date: {why.removeprefix('Error: ')}")


def _authored(settings: Settings, env: Mapping[str, str]) -> Child:
    """A worker host of its own for code workflows; it ends at its start when their modules are wrong."""
    return Child(
        name=worker.AUTHORED,
        argv=(*programs.windlass(), "worker", "--no-reconciler", "--logs", str(settings.state / "logs")),
        env=env,
        stage=2,
        grace_s=settings.soft_shutdown_s + worker.STOP_MARGIN_S,
        ready=lambda: worker.running(settings, worker.AUTHORED) is not None,
        restart_when_done=False,
    )


def _lab(settings: Settings) -> Child:
    (settings.state / "lab").mkdir(mode=0o700, parents=True, exist_ok=True)
    return Child(
        name="lab",
        argv=programs.lab(settings, LAB_PASSWORD, LAB_COUNT),
        env=environment(settings),
        ready=lambda: _listens(settings.lab_port),
    )


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
