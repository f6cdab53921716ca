"""W11: events of apps at 1, 8 and 32 clients, messages of apps, and reads among a million runs.

The apps API asks for API keys and keeps quotas. Beside it stand two floors behind the same server: an empty
answer, and one that does nothing but the one statement of each event. The CPU of an event is that of the
server and of PostgreSQL; that of a message adds the worker that delivers it and Redis.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg

from app.config import Settings, environment
from app.domain.apps.words import QUEUE
from app.host import programs, worker
from app.services import keys
from app.services.apps import applications
from app.wiring import wire
from tests.bench import apps_line, apps_queue
from tests.bench.apps_floor import EMPTY, STATEMENT
from tests.bench.apps_line import AppsApi
from tests.bench.asking import Asker, answering, percentiles
from tests.bench.processes import Running, cpu_seconds
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure
from tests.support.ports import free_port

CLIENTS = (1, 8, 32)
MIXED = 8  # Clients of the runs of nine events.
FULL, QUICK = 1_000, 200  # Runs of three events each; a third of them of nine.
ALONE, FEW_ALONE = 200, 40  # Messages that come one at a time.
MESSAGES, FEW_MESSAGES = 4_000, 800
RUNS, FEW_RUNS = 1_000_000, 10_000  # That are there when something is read.
READS = 100
APP, KEY = "bench", "bench"
FLOORS = {"floor-empty": EMPTY, "floor-statement": STATEMENT}
FILL = """
INSERT INTO app_run (tenant_id, app, id, workflow, deployment, status, input, attributes, spec_version,
                     events, created_at, updated_at, completed_at)
SELECT 'default', %s, 'wrun_old_' || n, 'w' || n %% 20, 'v1', 'completed', '"x"', '{}', 6, 3, n, n, n
FROM generate_series(1, %s) AS n
"""
Cpu = Callable[[], float]


class Apps:
    """The apps API with the processes that deliver, and the floors below it."""

    name = "W11"
    rounds = FEW
    candidates = (*FLOORS, "windlass-apps")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Events at 1, 8 and 32 clients; for the apps API, then, messages, and reads among many runs."""
        self._stage.close_session()
        settings = self._stage.settings(apps_port=free_port(), apps_identity="keys")
        if candidate in FLOORS:
            api = AppsApi(port=settings.apps_port, path=FLOORS[candidate], headers={})
            with self._serving(settings, floor=True) as server:
                return self._events(api, self._cpu(server))
        path = f"/api/v1/apps/{APP}/runs/{{run}}/events"
        api = AppsApi(port=settings.apps_port, path=path, headers=_known(settings))
        with self._serving(settings) as server:
            return [
                *self._events(api, self._cpu(server)),
                *self._messages(settings, api, server),
                *self._reads(settings, api),
            ]

    def teardown(self) -> None:
        """Nothing is shared."""

    def _cpu(self, server: Running) -> Cpu:
        """The CPU seconds of a server and of PostgreSQL so far."""
        return partial(cpu_seconds, (server.pid, self._stage.postgres.pid or 0))

    @contextmanager
    def _serving(self, settings: Settings, *, floor: bool = False) -> Iterator[Running]:
        """The apps API, while it answers."""
        argv = programs.apps(settings)
        if floor:
            argv = tuple(
                word.replace("app.api.apps.application:make", "tests.bench.apps_floor:make") for word in argv
            )
        running = self._stage.launch(argv, environment(settings))
        with answering(running, settings.apps_port):
            yield running

    def _events(self, api: AppsApi, cpu: Cpu) -> list[Figure]:
        """Runs of three events and of nine, after as many that warm up."""
        for line in apps_line.LINES:
            apps_line.send(api, line, clients=MIXED, runs=self._runs // 4)
        figures = [figure for clients in CLIENTS for figure in _spent(api, cpu, "bare", clients, self._runs)]
        mixed = _spent(api, cpu, "busy", MIXED, self._runs // 3)
        return [*figures, *mixed]

    def _messages(self, settings: Settings, api: AppsApi, server: Running) -> list[Figure]:
        quick = self._stage.quick
        with ExitStack() as stack:
            handler = stack.enter_context(apps_queue.Handler().listening())
            apps_queue.register(api, APP, handler)
            deliverer = self._deliverer(settings)
            stack.callback(deliverer.stop)
            servers = {
                "door": server.pid,
                "postgres": self._stage.postgres.pid or 0,
                "redis": self._stage.redis.pid or 0,
                "worker": deliverer.pid,
            }
            return apps_queue.measured(
                api,
                APP,
                handler,
                alone=FEW_ALONE if quick else ALONE,
                many=FEW_MESSAGES if quick else MESSAGES,
                cpu={name: partial(cpu_seconds, (pid,)) for name, pid in servers.items()},
            )

    def _deliverer(self, settings: Settings) -> Running:
        """The one main of a worker host that delivers messages of apps."""
        (main,) = worker.children(settings, queues=(QUEUE,), reconcile=False)
        return self._stage.launch(main.argv, main.env or environment(settings))

    def _reads(self, settings: Settings, api: AppsApi) -> list[Figure]:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute(FILL, (APP, FEW_RUNS if self._stage.quick else RUNS))
            connection.execute("VACUUM ANALYZE app_run")
        asker, prefix = Asker(api.port, api.headers), f"/api/v1/apps/{APP}/runs"
        try:
            return [
                figure
                for name, path in (
                    ("get", f"{prefix}/wrun_old_{FEW_RUNS // 2}"),
                    ("list", prefix),
                    ("list-workflow", f"{prefix}?workflowName=w7&status=completed"),
                )
                for figure in percentiles(name, [asker.get(path)[0] for _ in range(READS)])
            ]
        finally:
            asker.close()


def _known(settings: Settings) -> dict[str, str]:
    """An application, and the headers of a caller who may speak for it and for nothing else."""
    world = wire(settings)
    try:
        applications.create(world, APP)
        _, token, _ = keys.create(world, KEY, ("apps",))
        applications.bind_key(world, APP, KEY)
    finally:
        world.db.dispose()
    return {"Authorization": f"Bearer {token}"}


def _spent(api: AppsApi, cpu: Cpu, line: str, clients: int, runs: int) -> list[Figure]:
    before, begun = cpu(), time.monotonic()
    took = apps_line.send(api, line, clients=clients, runs=runs)
    seconds, spent = time.monotonic() - begun, cpu() - before
    which = str(clients) if line == "bare" else line
    return [
        Figure(f"events-{which}", len(took) / seconds, "events/s"),
        Figure(f"cpu-{which}", spent / len(took) * 1000, "ms/event"),
        *percentiles(f"event-{which}", took),
    ]


make = Apps
