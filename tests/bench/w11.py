"""W11: events of apps at 1, 8 and 32 clients, each of them creating, starting and completing runs; reads.

Beside it stand two floors behind the same server: an empty answer, and one that does nothing but the one
statement of an event. The CPU is that of the server and of PostgreSQL.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from itertools import count

import psycopg

from app.config import Settings, environment
from app.host import programs
from tests.bench.asking import Asker, answering, percentiles
from tests.bench.processes import Running, cpu_seconds
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure, Wrong
from tests.support.ports import free_port

CLIENTS = (1, 8, 32)
FULL, QUICK = 1_000, 100  # Runs of three events each.
RUNS, FEW_RUNS = 1_000_000, 10_000  # That are there when something is read.
READS = 100
PAYLOAD = "ZGV2bA" * 15
START = {"workflowName": "workflow//./w//line", "deploymentId": "v1", "input": PAYLOAD}
LINE: tuple[tuple[str, dict[str, str]], ...] = (
    ("run_created", START),
    ("run_started", {}),
    ("run_completed", {"output": PAYLOAD}),
)
FLOORS = {"floor-empty": "/empty", "floor-statement": "/statement"}
FILL = """
INSERT INTO app_run (tenant_id, app, id, workflow, deployment, status, input, attributes, spec_version,
                     events, created_at, updated_at, completed_at)
SELECT 'default', 'default', 'wrun_old_' || n, 'w' || n %% 20, 'v1', 'completed', '"x"', '{}', 6, 3, n, n, n
FROM generate_series(1, %s) AS n
"""
_NUMBERS = count(1)


class Events:
    """The door of apps, and what stands below it."""

    name = "W11"
    rounds = FEW
    candidates = (*FLOORS, "windlass-apps")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs = QUICK if stage.quick else FULL
        self._stored = FEW_RUNS if stage.quick else RUNS

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Events at 1, 8 and 32 clients; for the door, then, reads among many runs."""
        self._stage.close_session()
        settings = self._stage.settings(apps_port=free_port())
        path = FLOORS.get(candidate)
        with answering(self._serve(path, settings), settings.apps_port) as server:
            _events(settings.apps_port, path, 8, self._runs // 10)
            figures = [
                figure
                for clients in CLIENTS
                for figure in self._measured(server, settings.apps_port, path, clients)
            ]
            return figures if path else [*figures, *self._reads(settings)]

    def teardown(self) -> None:
        """Nothing is shared."""

    def _serve(self, floor: str | None, settings: Settings) -> Running:
        argv = programs.apps(settings)
        if floor:
            argv = tuple(
                word.replace("app.api.apps.application:door", "tests.bench.apps_floor:make") for word in argv
            )
        return self._stage.launch(argv, environment(settings))

    def _measured(self, server: Running, port: int, floor: str | None, clients: int) -> list[Figure]:
        pids = (server.pid, self._stage.postgres.pid or 0)
        before, begun = cpu_seconds(pids), time.monotonic()
        took = _events(port, floor, clients, self._runs if clients > 1 else self._runs // 4)
        seconds, spent = time.monotonic() - begun, cpu_seconds(pids) - before
        return [
            Figure(f"events-{clients}", len(took) / seconds, "events/s"),
            Figure(f"cpu-{clients}", spent / len(took) * 1000, "ms/event"),
            *percentiles(f"event-{clients}", took),
        ]

    def _reads(self, settings: Settings) -> list[Figure]:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute(FILL, (self._stored,))
            connection.execute("VACUUM ANALYZE app_run")
        asker, prefix = Asker(settings.apps_port), "/api/v1/apps/default/runs"
        try:
            return [
                figure
                for name, path in (
                    ("get", f"{prefix}/wrun_old_{self._stored // 2}"),
                    ("list", prefix),
                    ("list-workflow", f"{prefix}?workflowName=w7&status=completed"),
                )
                for figure in percentiles(name, [asker.get(path)[0] for _ in range(READS)])
            ]
        finally:
            asker.close()


def _events(port: int, floor: str | None, clients: int, runs: int) -> list[float]:
    """Milliseconds of each event of so many runs, by that many clients at once."""
    return asyncio.run(_asked(port, floor, clients, runs))


async def _asked(port: int, floor: str | None, clients: int, runs: int) -> list[float]:
    took: list[float] = []
    left = iter(range(runs))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            run_id = f"wrun_{next(_NUMBERS)}"
            for request in _line(port, run_id, floor):
                begun = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                body = await reader.readexactly(int(length.partition(b":")[2]))
                took.append((time.perf_counter() - begun) * 1000)
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise Wrong(f"the answer was {head[:200]!r} {body[:300]!r}")
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


def _line(port: int, run_id: str, floor: str | None) -> Sequence[bytes]:
    """The requests of one run."""
    path = floor or f"/api/v1/apps/default/runs/{run_id}/events"
    made = []
    for kind, data in LINE:
        body = json.dumps({"eventType": kind, "specVersion": 6, "eventData": data}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        made.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return made


make = Events
