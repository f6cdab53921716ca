"""Leases: a row for every step that runs, and no other index for that."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from app.engine.transitions.claim import Claim, Holder, locked_claim
from app.record.runs import doctor, leases, lost_messages, runs
from app.record.session import Tx
from app.record.tables import lease, step
from tests.support.driver import Driver
from tests.support.probes import BEFORE, fails

GONE = Holder(nonce="elsewhere:1/x", task_id="t", lease_ms=-1)
CHANGING = {"status", "holder", "lease_until", "pending", "fence", "started_at", "completed_at", "attempt"}


def noted(driver: Driver) -> list[tuple[str, str]]:
    """The leases: which run, and whose."""
    found = select(lease.c.run_id, lease.c.holder).where(lease.c.tenant_id == driver.db.tenant)
    return [(row["run_id"], row["holder"]) for row in driver.db.read(lambda tx: tx.rows(found))]


def begun(driver: Driver, holder: Holder = GONE) -> str:
    """A run whose first step a worker has claimed."""
    run_id = driver.start("probe.line")
    gen = driver.run(run_id)["dispatch_gen"]
    made = driver.db.write(lambda tx: locked_claim(tx, run_id, "forward", "first", gen, holder))
    assert isinstance(made, Claim)
    return run_id


def expired(driver: Driver) -> list[str]:
    """The runs of steps whose lease is over."""
    return [one["run_id"] for one in driver.db.read(lambda tx: lost_messages.expired_leases(tx, 10))]


def without_leases(tx: Tx) -> None:
    """All leases are gone, as if an earlier release had claimed."""
    tx.execute(delete(lease).where(lease.c.tenant_id == tx.tenant))


@pytest.mark.parametrize("type_", ["probe.line", "probe.group", "probe.map", "probe.job"])
@pytest.mark.parametrize("fault", [None, "first", "third"])
def test_no_lease_is_left_of_a_run_that_has_ended(driver: Driver, type_: str, fault: str | None) -> None:
    if fault is not None:
        BEFORE[fault] = fails()

    driver.finish(driver.start(type_, {"items": [1, 2, 3]} if type_ == "probe.map" else {}))

    assert noted(driver) == []


def test_while_a_body_runs_its_worker_has_a_lease(driver: Driver) -> None:
    seen: list[Any] = []
    run_id = driver.start("probe.line")
    for name in ("first", "second"):
        BEFORE[name] = lambda _ctx: seen.append(noted(driver))

    driver.finish(run_id)

    (before,), (after,) = seen
    assert before == after == (run_id, before[1])  # The same one for all steps of a segment.


@pytest.mark.parametrize("type_", ["probe.group", "probe.map"])
def test_every_member_that_runs_has_a_lease(driver: Driver, type_: str) -> None:
    seen: list[Any] = []
    for name in ("first", "second", "third", "visit 1", "visit 2"):
        BEFORE[name] = lambda _ctx: seen.append((noted(driver), driver.db.read(doctor.findings)))

    driver.finish(driver.start(type_, {"items": [1, 2]} if type_ == "probe.map" else {}))

    assert seen and all(len(held) == 1 and not found for held, found in seen), seen


def test_a_lease_that_is_over_is_found_until_its_step_is_lost(driver: Driver) -> None:
    run_id = begun(driver)
    assert expired(driver) == [run_id]

    driver.lose(run_id, "first")

    assert (expired(driver), noted(driver)) == ([], [])
    assert driver.finish(run_id) == "completed"


def test_a_lease_that_was_renewed_is_not_over(driver: Driver) -> None:
    run_id = begun(driver)
    held = partial(runs.renew_lease, run_id=run_id, phase="forward", key="first", fence=1, lease_ms=60_000)
    assert driver.db.write(held)
    assert expired(driver) == []
    driver.lose(run_id, "first")


def test_a_step_without_a_lease_is_found_by_the_doctor_and_taken_over(driver: Driver) -> None:
    run_id = begun(driver)
    assert driver.db.read(partial(lost_messages.strays, limit=10)) == []
    driver.db.write(without_leases)

    assert "I7" in [one["invariant"] for one in driver.db.read(doctor.findings)]
    (stray,) = driver.db.read(partial(lost_messages.strays, limit=10))
    assert (stray["run_id"], stray["key"], expired(driver)) == (run_id, "first", [])
    driver.lose(run_id, "first")


def test_leases_of_what_was_taken_away_are_forgotten_and_others_kept(driver: Driver) -> None:
    run_id = begun(driver)
    left = {"tenant_id": driver.db.tenant, "run_id": run_id, "holder": "elsewhere:2/y", "until": 1}
    driver.db.write(lambda tx: tx.execute(insert(lease), left))

    assert driver.db.write(leases.forget_idle) == 1

    assert noted(driver) == [(run_id, GONE.nonce)]
    driver.lose(run_id, "first")


def test_no_index_of_steps_holds_what_every_transition_changes() -> None:
    conditions = [str(one.dialect_options["postgresql"]["where"]) for one in step.indexes]
    keys = {column.name for one in step.indexes for column in one.columns}

    assert not CHANGING & (keys | set(" ".join(conditions).replace(".", " ").split()))
