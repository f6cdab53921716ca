"""How the database finds what is due: by the index, also in a table whose rows all waited a moment ago."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from app.record.fast_path import ready, transition
from app.record.runs import lost_messages, metrics
from app.record.session import Database, Tx
from tests.integration.record.conftest import EXPLAIN

NOBODY_WAITS_ANY_MORE = (
    "UPDATE run SET expect_since = 1, expect_from = 1, expect_queue = 'default'",
    "UPDATE step SET expect_since = 1",
    "UPDATE run SET expect_since = NULL, expect_from = NULL",
    "UPDATE step SET expect_since = NULL",
    "ANALYZE",
)


@pytest.fixture
def after_a_burst(with_runs: Database) -> Database:
    """Three thousand runs have just ended, and no vacuum has come by."""
    for statement in NOBODY_WAITS_ANY_MORE:
        with_runs.once(lambda cursor, text=statement: cursor.execute(text))  # type: ignore[misc]
    return with_runs


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        pytest.param(transition._see_run, ("default", "run_1"), id="beside one's own run"),
        pytest.param(ready._kinds, ("default", "default", 0) * 2, id="in a queue"),
    ],
)
def test_whether_anything_is_due_is_asked_of_an_index(
    after_a_burst: Database, statement: Callable[[str], str], values: tuple[object, ...]
) -> None:
    asked = f"{EXPLAIN[after_a_burst.dialect]} {statement(after_a_burst.dialect)}"

    plan = after_a_burst.once(lambda cursor: cursor.execute(asked, values).fetchall())

    said = "\n".join(line for (*_, line) in plan)
    assert "ix_run_expected" in said and "ix_step_expected" in said, said


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(lambda tx: lost_messages.expired_leases(tx, 100), id="expired"),
        pytest.param(lambda tx: lost_messages.held_by(tx, ["h:1/x"]), id="of dead processes"),
        pytest.param(metrics.running_steps, id="counted"),
    ],
)
def test_running_steps_are_found_by_their_leases(
    after_a_burst: Database, question: Callable[[Tx], object]
) -> None:
    said = after_a_burst.read(lambda tx: plan_of(tx, question))

    assert "lease" in said and not any(word in said for word in ("Seq Scan on step", "SCAN step")), said


def plan_of(tx: Tx, question: Callable[[Tx], object]) -> str:
    """How a question is answered."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    listener = (tx.connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
    event.listen(*listener)
    question(tx)
    event.remove(*listener)
    ((statement, values),) = [one for one in asked if "lease" in one[0]]
    lines = tx.connection.exec_driver_sql(f"{EXPLAIN[tx.dialect]} {statement}", values)
    return "\n".join(str(line[-1]) for line in lines)
