"""W4: latency of an accepted POST at 1 and 32 clients, beside an empty Flask view behind the same server.

No worker runs: what is measured is the way from the request to the commit and back. ``windlass-no-redis`` is
the same while nobody listens where Redis should be. ``flask-commit`` is the least that a durable answer
costs: a Flask view that parses JSON and commits one row.
"""

from dataclasses import replace

import psycopg

from app.config import Settings, environment
from app.host import programs
from tests.bench.asking import ORDER, RUNS, answering, percentiles, post
from tests.bench.processes import Running
from tests.bench.stage import Stage
from tests.bench.workload import Figure
from tests.support.ports import free_port

CLIENTS = (1, 32)
EMPTY = {"empty-flask": "/", "flask-commit": "/commit"}
FULL, QUICK = 3000, 800  # Requests at 32 clients; a quarter of them at one.
WARM = 200


class Post:
    """`POST /v1/workflows/runs`, accepted; and a POST that does nothing."""

    name = "W4"
    rounds = None
    candidates = ("empty-flask", "flask-commit", "windlass", "windlass-no-redis")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._count = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Requests at 1 client, then at 32, against fresh processes on a fresh database."""
        self._stage.close_session()
        settings = self._stage.settings()
        if candidate == "windlass-no-redis":
            settings = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE calibration_post (type text, input text)")
        server, path = self._serve(candidate, settings)
        with answering(server, settings.port):
            post(settings.port, path, ORDER, clients=8, count=WARM)
            return [figure for clients in CLIENTS for figure in self._ask(settings.port, path, clients)]

    def teardown(self) -> None:
        """Nothing is shared."""

    def _serve(self, candidate: str, settings: Settings) -> tuple[Running, str]:
        if candidate in EMPTY:
            argv = programs.served("tests.bench.empty:create_app", settings, settings.host, settings.port)
            return self._stage.launch(argv, environment(settings)), EMPTY[candidate]
        return self._stage.api(settings), RUNS

    def _ask(self, port: int, path: str, clients: int) -> list[Figure]:
        count = self._count if clients > 1 else self._count // 4
        return percentiles(f"post-{clients}", post(port, path, ORDER, clients=clients, count=count))


make = Post
