"""The system under test: the service as it is operated, with every process in reach of a fault.

PostgreSQL and Redis, or SQLite and Valkey; the API; two worker hosts with their Celery workers
and reconcilers; further reconcilers of their own; the lab. All on the shipped settings. What dies is
started again by `tests.chaos.keeper`, as systemd would.

With ``tree`` the service's code comes from another folder (one that holds app, chains, migrations, tasks),
so that a fault can be planted in it. With ``setting.proxied`` the service reaches its database server and
its Redis through proxies (`tests.chaos.faults.apart`, `tests.chaos.faults.proxy`), which this process reaches
as `proxies["database"]` and `proxies["redis"]`.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import psutil
from redis import Redis

from app.config import Settings, environment, load
from app.host import programs, up
from app.host.child import end_with
from app.record import migrate
from app.record.service import heartbeats
from app.record.session import Database, Limits
from tests.chaos.authored.flows import MARKS
from tests.chaos.fault import SQLITE, Setting
from tests.chaos.ledger import LEDGER, Ledger
from tests.support.ports import free_port, free_ports
from tests.support.servers import KeyValue, Postgres, new_postgres, new_redis, new_valkey, remove, until

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("inside")
# Classes of queues for which the workload has no work: their processes would only delay every start.
IDLE = {
    **{f"WINDLASS_{name}_PROCESSES": "0" for name in ("KUBE", "CLOUD", "WEBHOOK")},
    "WF_ENABLE_POLLER": "false",
}
START_S = 120.0
WRITABLE_S = 3.0  # No living process writes for so long.
LAB_MACHINES = 8
AUTHORED = Path(__file__).with_name("authored")  # What an author of code workflows has written.
AUTHORED_HOSTS, AUTHORED_PROCESSES = ("code0", "code1"), 2
LAB_PASSWORD = "windlass-lab"
APPS_API = "app.api.apps.application:make"


class Durable(Postgres):
    """PostgreSQL that keeps what it acknowledged also when the power is cut, as it ships."""

    tuning: Mapping[str, str] = {"max_connections": "200", "shared_buffers": "64MB"}


class Site:
    """One running service; a context manager that leaves nothing behind."""

    def __init__(
        self,
        backend: str,
        folder: Path,
        *,
        tree: Path = ROOT,
        setting: Setting | None = None,
        hosts: int = 2,
        reconcilers: int = 1,
    ) -> None:
        """``folder`` gets state, logs and ledger; ``reconcilers`` come on top of those of the hosts."""
        self.backend, self.folder, self.tree = backend, folder, tree
        self.setting = setting or Setting()
        self.proxies: dict[str, Any] = {}
        self.postgres: Postgres | None = None  # None on SQLite, which has no server.
        self.store: KeyValue = new_valkey() if backend == SQLITE else new_redis()
        self._hosts, self._reconcilers = hosts, reconcilers
        self._keeper: subprocess.Popen[bytes] | None = None
        self.machines: Any = (
            None  # The lab's machines, a `tests.chaos.workload.machines.Machines`, if wanted.
        )
        self.users: Any = None  # Who uses the site, a `tests.chaos.workload.users.Users`, once there is one.
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(folder / LEDGER)

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return up.local_url(self.settings)

    @property
    def lab_url(self) -> str:
        """The base URL of the lab's control API."""
        return up.lab_url(self.settings)

    def is_ready(self) -> bool:
        """Whether the API reports that it is ready."""
        return up.is_ready(self.settings)

    def is_writable(self) -> bool:
        """Whether any process can write to SQLite; PostgreSQL locks rows, not files."""
        if self.db.dialect == "postgresql":
            return True
        with closing(sqlite3.connect(str(self.db.url.database), timeout=WRITABLE_S)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE").close()
            except sqlite3.OperationalError:
                return False
        return True

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start servers, proxies and processes; returns when the API and the reconcilers work."""
        self.store.start()
        direct = self._database()
        migrate.upgrade(direct)
        self.db = Database(direct, limits=Limits(idle_ms=0))  # The judge reads a large record in one state.
        self.redis: Redis = Redis.from_url(self.store.url, socket_timeout=5, decode_responses=True)
        self.settings = self._settings(direct)
        (self.settings.state / "lab").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._spawn()
        until(self.is_ready, START_S, f"the API is ready; see {self.folder / 'logs'}")
        until(lambda: self._reconciling() >= self._hosts + self._reconcilers, START_S, "the reconcilers work")
        self._until_whole()

    def _until_whole(self) -> None:
        own = self.settings
        pools = (
            own.worker_processes,
            own.bmc_processes,
            own.kube_processes,
            own.cloud_processes,
            own.webhook_processes,
        )
        children = self._hosts * sum(pools) + len(AUTHORED_HOSTS) * AUTHORED_PROCESSES * self.setting.code
        until(lambda: len(self.processes("child")) >= children, START_S, "the pools are there")

    def close(self) -> None:
        """Stop everything, killing what is left, and remove the servers; the folder stays as evidence."""
        if self._keeper is not None:
            family = self.family()
            self._keeper.send_signal(signal.SIGTERM)
            for process in family:  # What was frozen could not end.
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGCONT)
            self._keeper.wait(60)
            for process in family:
                with suppress(psutil.Error):
                    process.kill()
            self._keeper = None
        for proxy in self.proxies.values():
            proxy.close()
        if hasattr(self, "db"):
            self.db.dispose()
            self.redis.close()
        for server in (self.store, self.postgres):
            if server is not None:
                self._keep_log(server)
                remove(server)

    def family(self) -> list[psutil.Process]:
        """Every process of the service but the keeper."""
        with suppress(psutil.Error):
            if self._keeper is not None:
                return psutil.Process(self._keeper.pid).children(recursive=True)
        return []

    def processes(self, role: str) -> list[psutil.Process]:
        """The living processes of a role: see `ROLES`."""
        found = []
        for process in self.family():
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and ROLES[role](process):
                    found.append(process)
        return found

    def marks(self, first: int = 0) -> list[dict[str, Any]]:
        """What the bodies of code workflows have left, from this line on, in the order they began."""
        path = self.ledger.path.with_name(MARKS)
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines[first:]]

    def sandboxes(self) -> dict[str, str]:
        """The names of the local servers that there are, by the tokens that they were made with."""
        records = (json.loads(path.read_text()) for path in self.settings.state.glob("local/*/*/server.json"))
        return {record["token"]: record["name"] for record in records}

    def author(self, rewritten: Callable[[str], str] = lambda source: source) -> None:
        """Write down the code workflows, as they are or rewritten, for hosts that start from now on."""
        source = rewritten((AUTHORED / "flows.py").read_text())
        folder = self.folder / AUTHORED.name
        folder.mkdir(exist_ok=True)
        (folder / "flows.new").write_text(f"{source}\n# {time.time_ns()}\n")  # Each is another source.
        (folder / "flows.new").replace(folder / "flows.py")

    def deploy(self, rewritten: Callable[[str], str] = lambda source: source) -> list[int]:
        """Write the code workflows anew and kill their hosts, which start again; who was killed."""
        self.author(rewritten)
        hosts = self.processes("code-host")
        killed = [one for host in hosts for one in (host, *host.children(recursive=True))]
        for process in killed:
            with suppress(psutil.Error):
                process.kill()
        return [process.pid for process in killed]

    # ------------------------------------------------------------------------------------ how it is put
    # together

    def _database(self) -> str:
        """Start the database; its URL with the driver named."""
        if self.backend == SQLITE:
            return f"sqlite:///{self.folder / 'windlass.db'}"
        self.postgres = new_postgres(Durable)
        self.postgres.start()
        self.postgres.execute("CREATE DATABASE windlass")
        return self.postgres.database("windlass").replace("postgresql://", "postgresql+psycopg://", 1)

    def _settings(self, direct: str) -> Settings:
        """The shipped settings, but for addresses, those who would idle, and what the site asks for."""
        addresses = {"DATABASE_URL": direct, "REDIS_URL": self.store.url}
        if self.setting.proxied:
            addresses = self._through_proxies(direct)
        ports = {"port": free_port(), "lab_port": free_ports(LAB_MACHINES + 4)}
        made = load(
            {"WINDLASS_REGION": "chaos", **IDLE, **self.setting.env, **addresses},
            state_dir=str(self.folder / "state"),
            **ports,
        )
        return replace(made, boot_url=up.lab_url(made))

    def _through_proxies(self, direct: str) -> dict[str, str]:
        from tests.chaos.faults.apart import DatabaseProxy  # Their own tests need no site.
        from tests.chaos.faults.proxy import Proxy

        self.proxies["redis"] = Proxy(self.store.port)
        if self.postgres is not None:
            self.proxies["database"] = DatabaseProxy(self.postgres.port)
        for proxy in self.proxies.values():
            proxy.start()
        database = direct
        if self.postgres is not None:
            database = direct.replace(f":{self.postgres.port}/", f":{self.proxies['database'].port}/")
        return {"DATABASE_URL": database, "REDIS_URL": f"redis://127.0.0.1:{self.proxies['redis'].port}/0"}

    def _argvs(self) -> Mapping[str, list[str]]:
        """The command lines of the service's processes."""
        windlass = list(programs.windlass())
        argvs = {
            "lab": list(programs.lab(self.settings, LAB_PASSWORD, LAB_MACHINES)),
            "api": list(programs.api(self.settings)),
            **{f"host-{n}": [*windlass, "worker", "--name", f"h{n}"] for n in range(self._hosts)},
            **{f"reconciler-{n}": [*windlass, "reconciler"] for n in range(self._reconcilers)},
        }
        if self.setting.code:
            self.author()
            folder, processes = str(self.folder / AUTHORED.name), str(AUTHORED_PROCESSES)
            authored = ("--import", "flows", "--app-dir", folder, "--processes", processes)
            for name in AUTHORED_HOSTS:
                argvs[f"host-{name}"] = [*windlass, "worker", *authored, "--name", name, "--no-reconciler"]
        return argvs

    def _spawn(self) -> None:
        """Hand the processes to a keeper."""
        env = self._environment()
        children = [{"name": name, "argv": argv, "env": env} for name, argv in self._argvs().items()]
        plan = self.folder / "keeper.json"
        plan.write_text(json.dumps({"logs": str(self.folder / "logs"), "children": children}))
        with (self.folder / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.keeper", str(plan)],
                cwd=self.tree,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with(os.getpid()),
            )

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(map(str, (INSIDE, self.tree, ROOT)))
        mine = {
            "PYTHONPATH": path,
            "CHAOS_LEDGER": str(self.ledger.path),
            "CHAOS_INSIDE": " ".join(self.setting.inside),
        }
        return environment(replace(self.settings, keyless=True), **{**mine, **self.setting.env})

    def _reconciling(self) -> int:
        """How many reconcilers have stored a heartbeat in the last seconds."""
        rows = self.db.read(
            lambda tx: [one for one in heartbeats.all_beats(tx) if one["at"] > tx.now - 5_000]
        )
        return sum(one["kind"] == "reconciler" for one in rows)

    def _keep_log(self, server: KeyValue | Postgres) -> None:
        log = server.folder.with_suffix(".log")
        if log.exists():
            (self.folder / "logs").mkdir(exist_ok=True)
            shutil.copy(log, self.folder / "logs" / f"{type(server).__name__.lower()}.log")


def _words(process: psutil.Process) -> list[str]:
    return [str(word) for word in process.cmdline()]


def _parent_words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        parent = process.parent()
        return _words(parent) if parent is not None else []
    return []


def _leads(*words: str) -> Callable[[psutil.Process], bool]:
    """A process whose command line has these words, and whose parent's has not."""
    return lambda one: set(words) <= set(_words(one)) and not set(words) <= set(_parent_words(one))


def _follows(*words: str) -> Callable[[psutil.Process], bool]:
    """A process that was forked by one whose command line has these words."""
    return lambda one: set(words) <= set(_words(one)) and set(words) <= set(_parent_words(one))


ROLES: dict[str, Callable[[psutil.Process], bool]] = {
    "apps-api": _leads("app.serving", APPS_API),
    "apps-api-worker": _follows("app.serving", APPS_API),
    "dispatcher": _leads("tasks", "worker", "threads"),  # What delivers messages of apps.
    "api": _leads("app.serving"),  # What starts the processes that answer.
    "api-worker": _follows("app.serving"),  # What answers requests.
    "host": _leads("app.cli", "worker"),  # The parent of the workers of one host.
    "code-host": _leads("app.cli", "worker", "flows"),  # Those of code workflows.
    "code-child": lambda one: any(_follows("tasks", f"workflows.{name}@%h")(one) for name in AUTHORED_HOSTS),
    "worker": _leads("tasks", "worker"),  # A Celery main.
    "child": _follows("tasks", "worker"),  # A pool process: what runs steps.
    "reconciler": _leads("app.cli", "reconciler"),
    "lab": _leads("app.lab"),
}
