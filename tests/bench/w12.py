"""W12: batches: 1,000 operations of one local server each, 50 at a time; beside a fan-out of as many members.

The servers are sandboxes that are made at once, so what is measured is the graph: accepting it, starting and
ending an operation, counting what is ready. Beside it stand a map of Windlass (W3) and child workflows of
DBOS on its queue. Of a graph of 10,000 operations and 50,000 edges: its checks, and its progress.
"""

import random
import time
from collections.abc import Sequence
from itertools import count, pairwise
from statistics import median
from typing import Any

from app.auth.keys import LOCAL
from app.config import load
from app.domain.batch.definition import parse
from app.domain.batch.graph import check, levels
from app.services import batches
from app.services.context import AppContext
from app.wiring import wire
from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure, Wrong
from tests.support.servers import until

FULL, QUICK = 1_000, 100  # Operations.
LIMIT, ITEMS, LINKS = 50, 10, 20
NODES, EDGES = 10_000, 5  # Of the graph that is only checked; edges of each operation.
LOOKS = 21  # At the progress of such a graph.
PATIENCE_S, LOOK_S = 600.0, 0.002
_NUMBERS = count(1)


class Batches:
    """A batch, a map, and a queue of child workflows."""

    name = "W12"
    candidates = ("windlass", "windlass-batch", "dbos-queue")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._operations = QUICK if stage.quick else FULL
        self.rounds = 1 if stage.quick else FEW

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """As many members, or operations, after a few that warm up."""
        if candidate != "windlass-batch":
            session = self._stage.session(candidate)
            session.fan(20)
            took = session.fan(self._operations)
            found = [Figure("batch", took, "s")]
            # Operations of ten items stand beside the same fan-out, so that there is a ratio of them.
            return [*found, Figure("batch-10-items", took, "s")] if candidate == "windlass" else found
        session = self._stage.session("windlass")
        world = wire(load(session.env), role="api")
        try:
            _took(session, world, _flat(20, 1))
            return [
                Figure("batch", _took(session, world, _flat(self._operations, 1)), "s"),
                Figure("batch-10-items", _took(session, world, _flat(self._operations, ITEMS)), "s"),
                Figure("after", _took(session, world, _line(LINKS)) / LINKS * 1000, "ms"),
                *_checked(),
                *_shown(world),
            ]
        finally:
            world.db.dispose()

    def teardown(self) -> None:
        """Nothing is shared."""


def _took(session: Session, world: AppContext, operations: Sequence[dict[str, Any]]) -> float:
    """Seconds from the submit of a batch until it is recorded as completed.

    Its end is asked for as that of a fan-out is: what asks must not take a processor from what is measured.
    """
    document = {"name": "bench", "parallel_limit": LIMIT, "operations": list(operations)}
    begun = time.monotonic()
    batch = batches.submit(world, LOCAL, parse(document))["workflow_id"]
    ended = f"SELECT count(*) FROM run WHERE id = '{batch}' AND completed_at IS NOT NULL"
    until(lambda: session.recorded(ended), PATIENCE_S, "the batch has ended", LOOK_S)
    took = time.monotonic() - begun
    status = batches.progress(world, batch)["status"]
    if status != "Completed":
        raise Wrong(f"the batch is {status}")
    return took


def _flat(operations: int, items: int) -> list[dict[str, Any]]:
    """Operations that need nothing."""
    batch = next(_NUMBERS)
    return [_operation(f"b{batch}-{place}", items) for place in range(operations)]


def _line(operations: int) -> list[dict[str, Any]]:
    """Operations of which each needs the one before."""
    made = _flat(operations, 1)
    for before, after in pairwise(made):
        after["dependencies"] = [before["id"]]
    return made


def _operation(name: str, items: int) -> dict[str, Any]:
    servers = [{"name": f"{name}-{number}", "plan": "small", "zone": "here"} for number in range(items)]
    return {"id": name, "type": "server_batch", "provider": "local", "server_configs": servers}


def _checked() -> list[Figure]:
    """CPU of the checks of a large graph."""
    operations = parse(_large()).operations
    begun = time.process_time()
    check(operations)
    levels(operations)
    return [Figure("graph-10000", (time.process_time() - begun) * 1000, "ms")]


def _shown(world: AppContext) -> list[Figure]:
    """Progress of a batch of 10,000 operations, none of which begins: the first one waits for an approval.

    At the first look the process learns the definition and how every operation stands; later ones read what
    has changed since.
    """
    document = _large()
    document["operations"][0]["approval"] = True
    batch = batches.submit(world, LOCAL, parse(document))["workflow_id"]
    took = []
    for _ in range(1 + LOOKS):
        begun = time.monotonic()
        batches.progress(world, batch)
        took.append((time.monotonic() - begun) * 1000)
    first, *later = took
    return [
        Figure("progress-10000-first", first, "ms"),
        Figure("progress-10000", median(later), "ms"),
    ]


def _large() -> dict[str, Any]:
    """A definition of 10,000 operations with 50,000 edges, which all go back to the first."""
    dice = random.Random(12)
    made = _flat(NODES, 1)
    for place, one in enumerate(made):
        one["dependencies"] = [made[at]["id"] for at in dice.sample(range(place), min(place, EDGES))]
    return {"name": "large", "operations": made}


make = Batches
