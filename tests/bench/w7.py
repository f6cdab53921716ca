"""W7: 50,000 blocked runs beside one that can go on: start latency, claim, a pass of the reconciler.

Claims and passes are timed in this process, without workers; before that single runs are started beside the
blocked ones, through the workers as they are shipped.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from app.auth.keys import LOCAL
from app.config import load
from app.engine.reconciler.reconciler import reconciler
from app.engine.transitions.claim import Claim, Holder, claim, claim_seen
from app.record.fast_path import ready
from app.services import runs
from app.services.context import AppContext
from app.services.runs import Order
from app.wiring import wire
from tests.bench import types
from tests.bench.asking import percentiles
from tests.bench.blocked import block
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure, Wrong

BLOCKED = 50_000
FULL, QUICK = 200, 60
PASSES = 15
LEASE_MS = 60_000


class Blocked:
    """Windlass alone; `windlass-alone` is the same without anything blocked."""

    name = "W7"
    rounds = FEW
    candidates = ("windlass", "windlass-alone")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._times = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Single runs through workers, then claims and passes in this process, on the same database."""
        self._stage.close_session()
        session = self._stage.session("windlass")
        settings = load(session.env)
        if candidate == "windlass":
            block(settings.database, BLOCKED)
        firsts = [session.single().first * 1000 for _ in range(self._times)]
        self._stage.close_session()
        world = replace(wire(settings, role="worker"), publish=lambda messages: None)
        try:
            return [
                *percentiles("first-step", firsts),
                *percentiles("claim", [self._claim(world) for _ in range(self._times)]),
                *percentiles("claim-next", [self._claim_next(world) for _ in range(self._times)]),
                *percentiles("pass", [_timed(reconciler(world).one_pass) for _ in range(PASSES)]),
            ]
        finally:
            world.db.dispose()

    def teardown(self) -> None:
        """Nothing is shared."""

    def _claim(self, world: AppContext) -> float:
        """A message names the run."""
        new = runs.start(world, LOCAL, Order(type=types.line.name))
        assert new.steps is not None
        where = (new.run["id"], "forward", new.steps[0]["key"], new.run["dispatch_gen"])
        return _timed(lambda: _taken(claim(world.db, *where, _holder())))

    def _claim_next(self, world: AppContext) -> float:
        """A worker looks for whatever waits."""
        runs.start(world, LOCAL, Order(type=types.line.name))

        def next_one() -> None:
            (seen,) = ready.reserve(world.db, "default", 1)
            _taken(claim_seen(world.db, seen, _holder()))

        return _timed(next_one)


def _holder() -> Holder:
    return Holder(nonce=uuid.uuid4().hex, task_id=uuid.uuid4().hex, lease_ms=LEASE_MS)


def _taken(found: object) -> None:
    if not isinstance(found, Claim):
        raise Wrong(f"nothing was claimed: {found}")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


make = Blocked
