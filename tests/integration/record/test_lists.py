"""How the database finds the runs of a list: by the index of the rarest thing that was asked for."""

import pytest
from sqlalchemy import event, text

from app.record.paging import Window
from app.record.runs.run_list import RunFilters, list_runs
from app.record.session import Database, Tx
from tests.bench import stored
from tests.integration.record.conftest import EXPLAIN


def test_the_runs_of_a_resource_are_found_by_its_index_whatever_their_status_is(with_runs: Database) -> None:
    filters = RunFilters(resource_id=stored.resource(42), status=("failed",))

    plans = with_runs.read(lambda tx: _plans(tx, filters, "resource_id ="))

    assert plans and all("ix_run_resource" in plan for plan in plans), plans
    assert not any("ix_run_stage" in plan for plan in plans), plans


@pytest.mark.parametrize("acknowledged", [None, False])
def test_the_newest_of_a_status_are_read_in_the_order_of_its_index(
    with_runs: Database, *, acknowledged: bool | None
) -> None:
    filters = RunFilters(status=("failed", "cancelled"), acknowledged=acknowledged)

    (plan,) = with_runs.read(lambda tx: _plans(tx, filters, "count("))

    assert plan.count("ix_run_stage") == 2  # One for each status.
    assert not is_sorted(plan), plan


@pytest.mark.parametrize("detail", ["running", "queued"])
def test_what_is_queued_or_running_is_counted_among_both_in_order(with_runs: Database, detail: str) -> None:
    (plan,) = with_runs.read(lambda tx: _plans(_large(tx), RunFilters(detail=(detail,)), "count("))

    assert "ix_run_stage" in plan, plan
    assert not is_sorted(plan), plan


@pytest.mark.parametrize("detail", ["waiting", "lock_waiting", "compensating"])
def test_open_runs_of_a_status_are_counted_without_a_look_at_others(with_runs: Database, detail: str) -> None:
    filters = RunFilters(detail=(detail,))

    (plan,) = with_runs.read(lambda tx: _plans(tx, filters, "count("))

    lookups = [line for line in plan.splitlines() if "stage=?" in line or "stage = " in line]
    assert lookups and "ix_run_stage" in plan, plan
    assert not is_sorted(plan), plan


def test_open_runs_with_a_tag_are_one_look_each(with_runs: Database) -> None:
    filters = RunFilters(tags=("team-1",), detail=("running", "waiting"))

    (plan,) = with_runs.read(lambda tx: _plans(_large(tx), filters, "count("))

    # Looked up one by one, or walked beside the tag: the stage leaves out what has ended, unread.
    assert "ix_run_stage" in plan or "Index Only Scan using ix_run_type" in plan, plan


@pytest.mark.parametrize("detail", [(), ("running",)])
def test_what_stands_still_is_looked_for_among_what_may(with_runs: Database, detail: tuple[str, ...]) -> None:
    filters = RunFilters(waiting=True, detail=detail)

    plans = with_runs.read(lambda tx: _plans(tx, filters, "expect_from"))

    assert len(plans) == 2  # The page, and how many there are.
    assert all("ix_run_stands" in plan for plan in plans), plans


def test_what_needs_an_operator_is_counted_by_an_index_of_its_own(with_runs: Database) -> None:
    (plan,) = with_runs.read(lambda tx: _plans(tx, RunFilters(needs_operator=True), "count("))

    assert "ix_run_held" in plan


def test_runs_that_are_not_declared_are_found_by_their_kind(with_runs: Database) -> None:
    plans = with_runs.read(lambda tx: _plans(tx, RunFilters(kind="batch"), "kind ="))

    assert plans and all("ix_run_kind" in plan for plan in plans), plans


def _large(tx: Tx) -> Tx:
    """Have PostgreSQL plan as if reading all of the table, which is a small one, were out of the question."""
    if tx.dialect == "postgresql":
        for way in ("enable_seqscan", "enable_bitmapscan"):
            tx.execute(text(f"SET LOCAL {way} = off"))
    return tx


def is_sorted(plan: str) -> bool:
    """Whether rows are put in order, instead of being found in it."""
    return "TEMP B-TREE" in plan or "Sort" in plan


def _plans(tx: Tx, filters: RunFilters, words: str) -> list[str]:
    """How each query of the list in which these words are is done, as the database says."""
    asked = []
    listener = (tx.connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
    event.listen(*listener)
    list_runs(tx, filters, Window(offset=1))  # A first page that is whole needs no count.
    event.remove(*listener)
    plans = []
    for statement, values in asked:
        if statement.startswith("SELECT") and words in statement:
            lines = tx.connection.exec_driver_sql(f"{EXPLAIN[tx.dialect]} {statement}", values)
            plans.append("\n".join(str(line[-1]) for line in lines))
    return plans
