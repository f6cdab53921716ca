"""A client holds row locks, or the right to write, and does not release them: only what needs them waits."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from redis import Redis
from sqlalchemy import insert, make_url, select, update

from app.config import Settings, load
from app.domain.errors import Contended, StepError
from app.engine.messages.timer_cache import TimerSet
from app.engine.reconciler import mover
from app.engine.reconciler.reconciler import Reconciler, Stop
from app.engine.transitions.claim import Holder, locked_claim
from app.record.runs import locks, runs, timers
from app.record.service import heartbeats, webhooks
from app.record.session import Database, Tx
from app.record.tables import api_key, delivery, step, totals
from app.record.tables.runs import TOTAL_SLOTS
from app.services import keys
from app.services.context import Role
from app.wiring import LIMITS, wire
from tests.conftest import Backend
from tests.support import probes
from tests.support.driver import Driver
from tests.support.servers import until

ROLES: tuple[Role, ...] = ("api", "worker", "reconciler", "projector", "cli")


@pytest.fixture
def driver(backend: Backend) -> Iterator[Driver]:
    """The engine, with the limits of a reconciler."""
    probes.reset()
    db = Database(backend.database_url, limits=LIMITS["reconciler"])
    yield Driver(db)
    db.dispose()


@pytest.fixture
def reconciler(driver: Driver, backend: Backend) -> Iterator[Reconciler]:
    """A reconciler that knows its broker."""
    with Redis.from_url(backend.redis_url, decode_responses=True) as redis:
        due = TimerSet(redis, "wl:")
        made = Reconciler(
            settings=Settings(),
            db=driver.db,
            redis=redis,
            publish=driver.publish,
            timers=due,
            instance="test",
        )
        made.epoch()
        yield made


@contextmanager
def held(driver: Driver, statement: str, *values: Any) -> Iterator[None]:
    """Another client's transaction that has locked something and does nothing more."""
    url = driver.db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as other:
        other.execute(statement.encode(), values)
        yield


def sleeping(driver: Driver) -> str:
    """A run that waits for a retry, whose time has come."""
    probes.BEFORE["first"] = probes.fails(1, StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    (armed,) = driver.db.read(lambda tx: timers.open_of(tx, run_id))
    driver.make_due(armed)
    return run_id


def waits(driver: Driver, run_id: str) -> bool:
    """Whether the run still waits for its retry."""
    return bool(driver.step(run_id, "first")["status"] == "retry_wait")


def passes_until(reconciler: Reconciler, condition: Callable[[], bool], why: str) -> None:
    """Run pass after pass until it is so."""

    def holds() -> bool:
        reconciler.one_pass()
        return condition()

    until(holds, 20, why)


HELD_RUN = "SELECT id FROM run WHERE id = %s FOR UPDATE"


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
@pytest.mark.parametrize("statement", [HELD_RUN, "SELECT id FROM timer WHERE run_id = %s FOR UPDATE"])
def test_a_run_that_another_client_locks_does_not_keep_the_others(
    driver: Driver, reconciler: Reconciler, statement: str
) -> None:
    stuck, free = sleeping(driver), sleeping(driver)

    with held(driver, statement, stuck):
        reconciler.one_pass()
        assert (waits(driver, stuck), waits(driver, free)) == (True, False)

    passes_until(reconciler, lambda: bool(not waits(driver, stuck)), "it is seen later")
    assert driver.finish(stuck) == driver.finish(free) == "completed"


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_however_many_are_held_the_others_have_their_turn(
    driver: Driver, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "BATCH", 2)
    stuck, free = [sleeping(driver) for _ in range(5)], sleeping(driver)
    driver.db.write(lambda tx: tx.execute(update(step).where(step.c.run_id == free).values(retry_at=9)))

    with held(driver, "SELECT id FROM run WHERE id = ANY(%s) FOR UPDATE", stuck):
        passes_until(reconciler, lambda: bool(not waits(driver, free)), "the free one moves")
        assert all(waits(driver, one) for one in stuck)


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_a_step_that_another_client_locks_does_not_keep_the_leases_of_others(
    driver: Driver, reconciler: Reconciler
) -> None:
    lost = [silent(driver), silent(driver)]

    with held(driver, "SELECT key FROM step WHERE run_id = %s FOR UPDATE", lost[0]):
        reconciler.one_pass()
        assert [driver.step(one, "first")["lost"] for one in lost] == [0, 1]

    passes_until(reconciler, lambda: bool(driver.step(lost[0], "first")["lost"]), "it is seen later")


def silent(driver: Driver) -> str:
    """A run whose worker fell silent."""
    run_id = driver.start("probe.line")
    run_message, _ = driver.waiting.pop()
    first, holder = run_message.segments[0].first, Holder(nonce="elsewhere:1/x", task_id="t", lease_ms=-1)
    driver.db.write(lambda tx: locked_claim(tx, run_id, "forward", first, run_message.gen, holder))
    return run_id


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_a_lock_whose_row_another_client_locks_does_not_keep_the_lines_of_others(
    driver: Driver, reconciler: Reconciler
) -> None:
    mine, others = ["probe/a", "probe/b"], {}
    for resource in mine:
        others[resource] = left_to_the_reconciler(driver, resource)

    with held(driver, "SELECT fence FROM lock_fence WHERE resource = %s FOR UPDATE", mine[0]):
        reconciler.one_pass()
        assert [driver.holder(one) for one in mine] == [None, others[mine[1]]]


def left_to_the_reconciler(driver: Driver, resource: str) -> str:
    """A run that stands in line for a resource that no run holds any more."""
    name = resource.partition("/")[2]
    how: dict[str, Any] = {"resource_id": name, "on_conflict": "queue"}
    driver.start("probe.locked", **how)
    waiter = driver.start("probe.locked", **how)
    driver.db.write(lambda tx: locks.release(tx, resource))
    return waiter


@pytest.mark.parametrize("role", ROLES)
def test_everybody_has_limits(role: Role) -> None:
    limits = LIMITS[role]
    assert min(limits.statement_ms, limits.lock_ms, limits.busy_ms) > 0


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_a_transaction_that_waits_too_long_for_a_row_is_refused(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    with held(driver, HELD_RUN, run_id), pytest.raises(Contended, match="nothing was changed"):
        driver.db.write(lambda tx: runs.lock_run(tx, run_id), patience_s=0)


@pytest.mark.sqlite
@pytest.mark.parametrize("backend", ["sqlite+valkey"], indirect=True)
def test_a_pass_ends_while_another_keeps_the_right_to_write(driver: Driver, reconciler: Reconciler) -> None:
    stuck = [sleeping(driver) for _ in range(3)]
    path = str(make_url(driver.db.url).database)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reconciler.one_pass()
        assert all(waits(driver, one) for one in stuck)

    reconciler.one_pass()
    assert not any(waits(driver, one) for one in stuck)


def test_timers_do_not_wait_for_a_rule_that_never_ends(driver: Driver, reconciler: Reconciler) -> None:
    run_id, entered, go = sleeping(driver), threading.Event(), threading.Event()

    def endless(_self: Reconciler) -> None:
        entered.set()
        go.wait()

    stop, slow = Stop(), type("Slow", (Reconciler,), {"epoch": endless})
    made: Callable[..., Reconciler] = slow
    one = made(**{name: getattr(reconciler, name) for name in KEPT})
    thread = threading.Thread(target=one.run_forever, args=(stop,), daemon=True)
    thread.start()
    assert entered.wait(20)
    until(lambda: not waits(driver, run_id), 20, "the message of the retry is published")
    until(lambda: driver.db.read(heartbeats.all_beats), 20, "it stores its heartbeat")
    go.set()
    stop.set()
    thread.join()


KEPT = ("settings", "db", "redis", "publish", "timers", "instance")


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_an_old_run_that_another_client_locks_does_not_keep_the_others_from_being_deleted(
    driver: Driver, reconciler: Reconciler
) -> None:
    old = [driver.start("probe.line") for _ in range(3)]
    for run_id in old:
        driver.finish(run_id)
        driver.db.write(lambda tx, one=run_id: runs.change_run(tx, one, {"completed_at": 1}))  # type: ignore[misc]

    with held(driver, "SELECT seq FROM event WHERE run_id = %s FOR UPDATE", old[0]):
        reconciler.retain()
        assert [driver.db.read(_known(one)) for one in old] == [True, False, False]


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_totals_that_another_client_locks_keep_no_run_from_ending(driver: Driver) -> None:
    row = {"tenant_id": driver.db.tenant, "type": "probe.short", "status": "completed"}
    rows = [{**row, "slot": slot, "runs": 0, "duration_ms": 0} for slot in range(TOTAL_SLOTS)]
    driver.db.write(lambda tx: tx.execute(insert(totals), rows))
    with held(driver, "SELECT runs FROM totals WHERE slot < %s FOR UPDATE", TOTAL_SLOTS // 2):
        for _ in range(12):
            assert driver.finish(driver.start("probe.short")) == "completed"


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_an_endpoint_that_another_client_locks_keeps_no_run_that_it_subscribes_to(driver: Driver) -> None:
    hook = {"id": "whk_held", "url": "https://receiver.invalid/", "active": True, "events": ["run.*"]}
    driver.db.write(lambda tx: webhooks.insert_webhook(tx, hook, ["run.started", "run.completed"]))
    with held(driver, "SELECT id FROM webhook FOR UPDATE"):
        run_id = driver.start("probe.line")
        assert driver.finish(run_id) == "completed"
    stored = driver.db.read(lambda tx: tx.rows(select(delivery).order_by(delivery.c.seq)))
    assert [(one["run_id"], one["event"]) for one in stored] == [
        (run_id, "run.started"),
        (run_id, "run.completed"),
    ]


@pytest.mark.postgres
@pytest.mark.parametrize("backend", ["postgres+redis"], indirect=True)
def test_a_key_that_another_client_locks_opens_all_the_same(driver: Driver, backend: Backend) -> None:
    world = wire(load({**backend.environ}))
    _, token, _ = keys.create(world, "held", ["runs:read"])
    with held(driver, "SELECT id FROM api_key FOR UPDATE"):
        began = time.monotonic()
        assert keys.principal_of(world, token).name == "held"
        assert time.monotonic() - began < LIMITS["api"].lock_ms / 1000
    keys.principal_of(world, token)
    assert world.db.read(lambda tx: tx.value(select(api_key.c.used_at)))
    world.db.dispose()


def _known(run_id: str) -> Callable[[Tx], bool]:
    return lambda tx: runs.read_run(tx, run_id) is not None
