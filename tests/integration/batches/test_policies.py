"""Random graphs with every policy, while workers die, answers and messages are lost: no rule is broken."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.states import RunStatus
from app.providers.compute import Compute, Machine, Spec
from app.record.batches import batches, doctor
from app.record.runs import doctor as of_runs
from app.record.session import Database
from tests.integration.batches.rig import Rig, Row, failing, servers
from tests.integration.batches.test_property import STRENGTH, reference
from tests.integration.engine.conftest import seen_by
from windlass.calls import Gone

EXAMPLES = 25  # The same ones in each run.
NUMBERS = count(1)
KINDS = ("hard", "hard", "hard", "soft", "optional")
POLICIES = ("continue", "continue", "continue", "fail", "hold", "rollback")
TROUBLES = ("nothing", "nothing", "lost message", "doubled message", "reconciled", "before", "after")


@st.composite
def graphs(draw: st.DrawFn) -> list[Row]:
    """Up to six operations with edges to earlier ones; some fail, each has a policy."""
    made: list[Row] = []
    for place in range(draw(st.integers(1, 6))):
        earlier = draw(st.lists(st.sampled_from(range(place)), max_size=2, unique=True)) if place else []
        needs = [{"id": f"op{other}", "type": draw(st.sampled_from(KINDS))} for other in earlier]
        build = failing if draw(st.integers(0, 2)) == 0 else servers
        made.append(build(f"op{place}", needs=needs, on_failure=draw(st.sampled_from(POLICIES))))
    return made


class Mortal:
    """Sandboxes whose worker dies on order: before a server is made, or after, without a word."""

    def __init__(self, compute: Compute, deaths: list[str]) -> None:
        self._compute, self._deaths = compute, deaths

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compute, name)

    def create(self, spec: Spec, token: str) -> Machine:
        """Make the server, unless the worker dies."""
        if self._deaths[:1] == ["before"]:
            raise Gone(self._deaths.pop())
        made = self._compute.create(spec, token)
        if self._deaths[:1] == ["after"]:
            raise Gone(self._deaths.pop())
        return made


def afflict(rig: Rig, deaths: list[str], trouble: str) -> None:
    """One message is worked off, or something happens to it."""
    waiting = rig.driver.waiting
    if trouble in ("before", "after"):
        deaths[:] = [trouble]
    elif trouble == "reconciled":
        rig.driver.reconcile(rig.open_runs())
    elif waiting and trouble == "lost message":
        waiting.popleft()
    elif waiting and trouble == "doubled message":
        waiting.append(waiting[0])
    try:
        rig.driver.deliver()
    except Gone:
        rig.driver.reconcile(rig.open_runs())


def ended(rig: Rig, batch: str) -> str:
    """The batch once nothing of it moves any more, also when every message was lost."""
    for _ in range(10):
        if rig.finish(batch, most=50) in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.FAILED_HELD):
            break
        rig.driver.reconcile(rig.open_runs())
    return rig.driver.status(batch)


def judge(rig: Rig, batch: str, operations: list[Row]) -> None:
    """What the strongest policy among the failures demands, and the rules that hold in any case."""
    status, statuses = ended(rig, batch), rig.statuses(batch)
    failed = [one for one in operations if statuses[one["id"]] == "failed"]
    strongest = max((one["on_failure"] for one in failed), key=STRENGTH.index, default=None)
    standing = {f"{key}-1" for key, state in statuses.items() if state == "completed"}
    assert status == {None: "completed", "hold": "failed_held"}.get(strongest, "failed"), statuses
    if strongest in (None, "continue"):
        assert statuses == reference(operations)
    assert rig.servers() == (set() if strongest == "rollback" else standing)
    if strongest == "rollback" and standing:
        assert (rig.db.read(lambda tx: batches.read_batch(tx, batch)) or {})["undone"] == "all"
    assert not {"pending", "waiting", "running"} & set(statuses.values()) or strongest == "hold"
    assert rig.strays() == []
    assert rig.db.read(of_runs.findings) + rig.db.read(doctor.findings) == []


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    operations=graphs(), limit=st.integers(1, 3), troubles=st.lists(st.sampled_from(TROUBLES), max_size=12)
)
def test_every_policy_holds_whatever_happens(
    database_of: Callable[[str], str], tmp_path: Path, operations: list[Row], limit: int, troubles: list[str]
) -> None:
    number = next(NUMBERS)
    db: Database = seen_by(f"policies-{number}", database_of("sqlite"))
    deaths: list[str] = []
    rig = Rig(db, tmp_path / str(number))
    rig.folder.mkdir()
    sandboxes = rig.world.compute
    rig.world.compute = lambda *where: Mortal(sandboxes(*where), deaths)  # type: ignore[method-assign]
    batch = rig.submit(*operations, parallel_limit=limit)
    for trouble in troubles:
        afflict(rig, deaths, trouble)
        assert db.read(doctor.findings) == [], "after a commit"
    deaths.clear()
    judge(rig, batch, operations)
