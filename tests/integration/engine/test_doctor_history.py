"""Whatever a run has been through: each kind of corruption of what is stored about it has its number."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.sql.schema import Table

from app.domain.errors import Permanent, Rejected, StepError
from app.record.runs import doctor
from app.record.session import Database, Tx
from app.record.tables import delivery, event, hook, lock, run, step, timer, webhook
from tests.support import probes
from tests.support.driver import Driver
from tests.support.logs import open_log

TYPES = ["probe.line", "probe.once", "probe.job", "probe.group", "probe.group", "probe.locked"]
TROUBLES = st.dictionaries(
    st.sampled_from(["first", "second", "third", "once", "undo first", "job"]),
    st.tuples(st.integers(1, 4), st.sampled_from([StepError, Permanent])),
    max_size=3,
)
HISTORIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(TYPES),
        "on_failure": st.sampled_from(["compensate", "hold"]),
        "troubles": TROUBLES,
        "links": st.integers(1, 9),
        "cancel": st.booleans(),
    }
)
Plant = Callable[[Tx, str], bool]  # Tells whether this history has what is to be corrupted.


def live(driver: Driver, history: dict[str, Any]) -> str:
    """A run that has been through something; it may have ended or be anywhere on its way."""
    probes.reset()
    for what, (times, error) in history["troubles"].items():
        probes.BEFORE[what] = probes.fails(times, error)
    resource = "p1" if history["type"] == "probe.locked" else None
    run_id = driver.start(history["type"], on_failure=history["on_failure"], resource_id=resource)
    for _ in range(history["links"]):
        if driver.waiting:
            driver.deliver()
        else:
            driver.fire(run_id)
    if history["cancel"]:
        try:
            driver.cancel(run_id)
        except Rejected:
            return run_id
    return run_id


def changed(table: Table, *where: Any, **values: Any) -> Plant:
    """Change one row of the run, the one with the lowest key."""

    def plant(tx: Tx, run_id: str) -> bool:
        own = table.c.id if table is run else table.c.run_id
        keys = [column for column in table.primary_key if column.name != "tenant_id"]
        wanted = (table.c.tenant_id == tx.tenant, own == run_id)
        chosen = tx.row(select(*keys).where(*wanted, *where).order_by(*keys).limit(1))
        if chosen is not None:
            own_key = [table.c[name] == value for name, value in chosen.items()]
            tx.execute(update(table).where(*wanted, *own_key).values(**values))
        return chosen is not None

    return plant


def lost(seq: int) -> Plant:
    """The log loses an event."""

    def plant(tx: Tx, run_id: str) -> bool:
        mine = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq == seq)
        return tx.execute(delete(event).where(*mine)).rowcount == 1

    return plant


def logged(type_: str, *, of_a_step: bool = False) -> Plant:
    """The log gains an event; one about a step is a second one of its kind."""

    def plant(tx: Tx, run_id: str) -> bool:
        mine = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id)
        like = tx.row(select(event).where(*mine, *((event.c.type == type_,) if of_a_step else ())).limit(1))
        if like is None:
            return False
        seq = tx.value(select(func.max(event.c.seq)).where(*mine)) + 1
        fresh = {**like, "seq": seq, "type": type_}
        tx.execute(insert(event), fresh if of_a_step else {**fresh, "payload": {}})
        own = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
        tx.execute(update(run).where(*own).values(event_seq=seq))
        return True

    return plant


def added(table: Table, **values: Any) -> Plant:
    """A row that the service never wrote."""

    def plant(tx: Tx, run_id: str) -> bool:
        own = {name: f"planted_{run_id}" for name in ("id", "token_hash") if name in table.c}
        tx.execute(insert(table), {"tenant_id": tx.tenant, "run_id": run_id, **own, **values})
        return True

    return plant


def wrong_delivery(tx: Tx, run_id: str) -> bool:
    """A delivery reports what has not happened."""
    endpoint = f"wh_{run_id}"
    tx.execute(insert(webhook), {"tenant_id": tx.tenant, "id": endpoint, "url": "x", "active": True})
    return added(delivery, webhook_id=endpoint, event="run.failed", seq=1, status="pending")(tx, run_id)


def if_(is_so: Any, plant: Plant) -> Plant:
    """A corruption that matters only while the run or one of its steps is so."""

    def planted(tx: Tx, run_id: str) -> bool:
        so = select(run.c.id).join(step, step.c.run_id == run.c.id).where(run.c.id == run_id, is_so)
        return tx.row(so.limit(1)) is not None and plant(tx, run_id)

    return planted


SECOND_BEGAN = and_(
    step.c.ordinal > 1_000_000, step.c.branch == "", step.c.phase == "forward", step.c.fence > 0
)
FIRST = (step.c.key == "first", step.c.phase == "forward")
OPEN = (timer.c.fired_at.is_(None), timer.c.cancelled_at.is_(None))
COUNTING = run.c.status.in_(["running", "waiting"])
CORRUPTIONS: list[tuple[str, Plant]] = [
    ("I1", lost(1)),
    ("I2", lost(2)),
    ("I2", changed(run, event_seq=99)),
    ("I2", changed(step, status="skipped")),
    ("I2", changed(step, attempt=77)),
    ("I3", logged("run.completed")),
    ("I3", logged("step.completed", of_a_step=True)),
    ("I4", changed(step, step.c.kind.in_(["task", "operation"]), fence=77)),
    ("I4", logged("step.started", of_a_step=True)),
    ("I5", if_(SECOND_BEGAN, changed(step, *FIRST, status="retry_wait"))),
    ("I6", changed(run, run.c.status == "completed", status="failed")),
    ("I6", changed(step, step.c.phase == "comp", undoes="nothing")),
    ("I7", changed(run, run.c.expect_since.is_not(None), expect_since=None)),
    ("I7", changed(run, run.c.completed_at.is_not(None), expect_since=1)),
    (
        "I7",
        changed(timer, timer.c.purpose.in_(["retry", "hold"]), *OPEN, cancelled_at=9),
    ),
    ("I8", added(lock, resource="probe/p9", fence=1, granted_at=1)),
    ("I8", changed(lock, fence=77)),
    ("I9", added(hook, step="job", status="executed")),
    ("I10", if_(COUNTING, changed(step, step.c.kind == "group", step.c.status == "waiting", pending=9))),
    ("I11", added(timer, purpose="retry", phase="forward", step="gone", due_at=1)),
    ("I11", added(timer, purpose="retry", phase="forward", step="gone", due_at=10**14, fired_at=9)),
    ("I12", wrong_delivery),
    ("I13", changed(step, lost=77)),
]


@pytest.mark.sqlite
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "plant"), CORRUPTIONS)
def test_a_corruption_has_its_number_whatever_the_run_has_been_through(
    database_of: Callable[[str], str], number: str, plant: Plant
) -> None:
    shared, tenants, met = Database(database_of("sqlite"), "histories"), count(1), set()
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]

    @settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=checks)
    @given(history=HISTORIES)
    def judge(history: dict[str, Any]) -> None:
        db = shared.for_tenant(f"{number}-{id(plant)}-{next(tenants)}")
        run_id = live(Driver(db), history)
        assert db.read(doctor.findings) == []
        db.write(lambda tx: open_log(tx, run_id))
        if db.write(lambda tx: plant(tx, run_id)):
            met.add(run_id)
            assert number in {one["invariant"] for one in db.read(doctor.findings) if one["run"] == run_id}

    judge()
    shared.dispose()
    assert met, "no history had what is to be corrupted"
