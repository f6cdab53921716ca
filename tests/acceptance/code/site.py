"""The API and a worker host for code workflows, on servers that can be killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.config import Settings, environment, load
from app.host import up
from app.host.child import end_with
from app.record.session import Database
from tests.support.ports import free_port
from tests.support.servers import KeyValue, Postgres, until
from windlass import Client

ROOT = Path(__file__).parents[3]
START_S, STOP_S = 60.0, 40.0
PROCESSES = 4


@dataclass(kw_only=True)
class Site:
    """What the tests work with."""

    settings: Settings
    client: Client
    db: Database
    store: KeyValue  # Redis or Valkey.
    postgres: Postgres | None  # None on SQLite, which has no server.
    host: psutil.Process  # The worker host, which starts the Celery main and a reconciler.
    witness: Path
    gate: Path  # Bodies that hold go on once it is there.
    env: dict[str, str]  # Of every process of the service.

    def pool(self) -> list[psutil.Process]:
        """The pool processes that do steps; a forked one shows its parent's command line."""
        found = []
        for process in self.host.children(recursive=True):
            with suppress(psutil.Error):
                parent = process.parent()
                if parent is not None and "workflows@%h" in process.cmdline() == parent.cmdline():
                    found.append(process)
        return found

    def kill_pool(self) -> None:
        """Kill -9 every pool process, whatever it does."""
        for process in self.pool():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @contextmanager
    def beside(self, module: str, folder: Path) -> Iterator[None]:
        """A further worker host, for a module in this folder; it is ready, and is stopped in the end."""
        words = ("--import", module, "--app-dir", str(folder), "--processes", "1", "--name", module)
        log = folder / "worker.log"
        begin = log.stat().st_size if log.exists() else 0
        with process(("worker", *words, "--no-reconciler"), self.env, log):
            until(lambda: b"ready." in log.read_bytes()[begin:], START_S, f"the worker is ready: see {log}")
            yield

    def did(self, run_id: str) -> Counter[str]:
        """How often each body of a run has begun."""
        lines = self.witness.read_text().splitlines() if self.witness.exists() else []
        return Counter(line.partition(" ")[2] for line in lines if line.partition(" ")[0] == run_id)


@contextmanager
def started(
    folder: Path, database_url: str, store: KeyValue, postgres: Postgres | None, imports: Sequence[str]
) -> Iterator[Site]:
    """Everything, until the workflows are announced and the API is ready."""
    addresses = {"DATABASE_URL": database_url, "REDIS_URL": store.url, "WINDLASS_REGION": "test"}
    addresses["WINDLASS_KEYLESS"] = "yes"
    settings = load(addresses, state_dir=str(folder / "state"), port=free_port())
    settings.state.mkdir(mode=0o700)
    witness, gate = folder / "witness", folder / "gate"
    env = environment(settings, FLOW_WITNESS=str(witness), FLOW_GATE=str(gate), PYTHONPATH=str(ROOT))
    modules = [word for name in imports for word in ("--import", name)]
    with ExitStack() as open_:
        open_.enter_context(process(("api",), env, folder / "api.log"))
        worker = ("worker", *modules, "--app-dir", str(ROOT), "--processes", str(PROCESSES))
        host = open_.enter_context(process(worker, env, folder / "worker.log"))
        until(lambda: up.is_ready(settings), START_S, f"the API is ready: see {folder}")
        client = open_.enter_context(Client(up.local_url(settings)))
        db = Database(database_url)
        open_.callback(db.dispose)
        site = Site(
            settings=settings,
            client=client,
            db=db,
            store=store,
            postgres=postgres,
            host=psutil.Process(host.pid),
            witness=witness,
            gate=gate,
            env=env,
        )
        until(lambda: len(site.pool()) >= PROCESSES, START_S, f"the workers are there: see {folder}")
        yield site


@contextmanager
def process(words: Sequence[str], env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the service; it is asked to stop in the end, and killed with all its children else."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=end_with(os.getpid(), signal.SIGTERM),
        )
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.kill()
        process.wait(STOP_S)
