"""W5: lists, filters, counts and metrics over 100,000 and 1,000,000 stored runs, through the real API.

Every page carries its total, exact up to 10,000: a list and its filtered count are one answer. One client
asks every question in turn; ``--quick`` asks at 100,000 alone.
"""

import time
from collections.abc import Mapping

from app.config import Settings
from app.record import migrate
from tests.bench import stored
from tests.bench.asking import RUNS, Asker, answering, percentiles
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure

FULL, QUICK = {"100k": 100_000, "1m": 1_000_000}, {"100k": 100_000}
TIMES, QUICK_TIMES = 100, 40
WARM = 6
DEEP = 60  # Pages of 100 that are turned before the deep one.
METRICS = "/v1/workflows/metrics"


def _day(ago: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago * 86_400))


def questions() -> dict[str, str]:
    """Paths by the name of the question."""
    month = f"since={_day(30)}"
    listed = {
        "first": "",
        "hundred": "limit=100",
        "last-numbered": "limit=100&page=100",
        "type": "type=server.provision",
        "completed": "status=completed",
        "failed": "status=failed",
        "pending": "status=pending",
        "running": "status=running",
        "resource-type": "resourceType=vm",
        "resource": f"resourceId={stored.resource(42)}",
        "actor": "triggeredBy=usr_3",
        "tag": "tag=rack-7",
        "frequent-tag": "tag=team-3",
        "waiting": "waiting=true",
        "day": f"since={_day(200)}&until={_day(199)}",
        "month": month,
        "before": f"until={_day(300)}",
        "type-status": "type=server.provision&status=failed",
        "type-actor": "type=vm.create&triggeredBy=usr_3",
        "type-pending": "type=vm.create&status=pending",
        "status-actor": "status=failed&triggeredBy=usr_3",
        "running-actor": "status=running&triggeredBy=usr_3",
        "resource-type-status": "resourceType=server&status=failed",
        "resource-status": f"resourceId={stored.resource(42)}&status=failed",
        "status-month": f"status=failed&{month}",
        "type-month": f"type=vm.create&{month}",
        "actor-month": f"triggeredBy=usr_3&{month}",
        "type-status-actor-period": f"type=vm.create&status=failed&triggeredBy=usr_3&{month}&until={_day(5)}",
        "tag-type": "tag=rack-7&type=vm.create",
        "tag-status": "tag=rack-7&status=failed",
        "tag-actor": "tag=rack-7&triggeredBy=usr_3",
        "tag-month": f"tag=rack-7&{month}",
        "two-tags": "tag=rack-7&tag=team-3",
        "frequent-tag-status": "tag=team-3&status=failed",
        "nothing": "tag=nobody",
    }
    return {name: f"{RUNS}?{query}" for name, query in listed.items()} | {
        "metrics-month": METRICS,
        "metrics-month-type": f"{METRICS}?type=server.provision",
        "metrics-year": f"{METRICS}?since={_day(365)}",
    }


class Lists:
    """Windlass on PostgreSQL and on SQLite; databases are filled once, the API starts anew every round."""

    name = "W5"
    rounds = FEW
    candidates = ("windlass", "windlass-sqlite")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sizes = QUICK if stage.quick else FULL
        self._times = QUICK_TIMES if stage.quick else TIMES
        self._settings: dict[tuple[str, str], Settings] = {}

    def setup(self) -> None:
        """Nothing: a database is filled when it is first asked."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Every question, at every size."""
        self._stage.close_session()
        return [figure for size in self._sizes for figure in self._at(candidate, size)]

    def teardown(self) -> None:
        """Databases go with the stage."""

    def _at(self, candidate: str, size: str) -> list[Figure]:
        settings = self._filled(candidate, size)
        with answering(self._stage.api(settings), settings.port):
            return self._asked(size, Asker(settings.port), questions())

    def _asked(self, size: str, asker: Asker, asked: Mapping[str, str]) -> list[Figure]:
        figures = []
        for name, path in {**asked, "deep": _deep(asker)}.items():
            for _ in range(WARM):
                asker.get(path)
            figures += percentiles(f"{size}-{name}", [asker.get(path)[0] for _ in range(self._times)])
        asker.close()
        return figures

    def _filled(self, candidate: str, size: str) -> Settings:
        if (candidate, size) not in self._settings:
            lite = candidate == "windlass-sqlite"
            url = f"sqlite:///{self._stage.scratch()}/stored-{size}.db" if lite else self._stage.migrated()
            settings = self._stage.settings(url)
            migrate.upgrade(settings.database)
            stored.store(settings.database, self._sizes[size])
            self._settings[candidate, size] = settings
        return self._settings[candidate, size]


def _deep(asker: Asker) -> str:
    """The page behind the sixtieth, by its cursor."""
    path = f"{RUNS}?limit=100&status=failed"
    following = path
    for _ in range(DEEP):
        _, answer = asker.get(following)
        following = f"{path}&cursor={answer['meta']['pagination']['nextCursor']}"
    return following


make = Lists
