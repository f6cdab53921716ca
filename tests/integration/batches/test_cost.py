"""What an operation costs: few statements, one turn for all that ended, no fan-out around a single item."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app.engine.messages import publish
from app.engine.reconciler import resume
from app.engine.transitions.journal import Message
from app.record.fast_path import ready
from app.record.runs import event_rows, runs, timers
from app.record.session import Tx
from app.worker import loop
from app.worker.loop import go_on
from tests.integration.batches.rig import Rig, servers

OPERATIONS = 20
MOST_STATEMENTS = 24  # Of an operation of one item, beside the few of the fast path; there were more than 70.
MOST_OF_TEN = 75  # Of an operation of ten items, each claimed and settled without the lock; it was 155.
FAR_MS = 4_000_000_000_000


@contextmanager
def counted(rig: Rig) -> Iterator[list[str]]:
    """The statements that go through SQLAlchemy meanwhile."""
    asked: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(rig.db.engine, "before_cursor_execute", count)
    yield asked
    event.remove(rig.db.engine, "before_cursor_execute", count)


def test_an_operation_of_one_item_costs_few_statements(rig: Rig) -> None:
    batch = rig.submit(*(servers(f"op{n}") for n in range(OPERATIONS)), parallel_limit=5)
    with counted(rig) as asked:
        rig.driver.drain()

    assert rig.driver.status(batch) == "completed"
    assert len(asked) / OPERATIONS < MOST_STATEMENTS


def test_an_operation_of_ten_items_costs_few_statements(rig: Rig) -> None:
    made = (servers(f"op{n}", *(f"op{n}-{item}" for item in range(10))) for n in range(4))
    batch = rig.submit(*made, parallel_limit=2)
    with counted(rig) as asked:
        while ready.anything(rig.db, "default"):
            go_on(rig.driver.runner, "default", task_id="t", limit_s=3600)

    assert rig.driver.status(batch) == "completed"
    assert len(asked) / 4 < MOST_OF_TEN


def test_an_operation_of_one_item_is_one_step(rig: Rig) -> None:
    batch = rig.run(servers("one"), servers("two", "a", "b"))

    steps = {child["parent_step"]: rig.driver.steps(child["id"]) for child in rig.children(batch)}
    outputs = {key: row["output"] for key, row in rig.driver.steps(batch).items()}
    assert [row["name"] for row in steps["one"].values()] == ["instance.create"]
    assert len(steps["two"]) == 4  # The fan-out, its two members, and the verdict.
    assert (outputs["one"], outputs["two"]) == ({"created": 1, "kept": 0}, {"created": 2, "kept": 0})


def test_one_turn_settles_all_children_that_have_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "hear_children", lambda _tx, run_id: [])
    batch = rig.submit(*(servers(f"op{n}") for n in range(4)), servers("last", needs=["op3"]))
    rig.driver.drain()
    assert set(rig.statuses(batch).values()) == {"waiting", "pending"}

    monkeypatch.undo()
    rig.driver.publish(rig.db.write(lambda tx: resume.hear_children(tx, batch)))
    assert rig.statuses(batch) == {**{f"op{n}": "completed" for n in range(4)}, "last": "waiting"}
    assert rig.finish(batch) == "completed"


def test_operations_that_wait_together_are_settled_together(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    informed: list[str] = []
    real = resume.hear_children

    def noted(tx: Tx, run_id: str) -> list[Message]:
        informed.append(run_id)
        return real(tx, run_id)

    monkeypatch.setattr(publish, "hear_children", noted)
    monkeypatch.setattr(loop, "QUICK_S", 60)
    monkeypatch.setattr(loop, "MOST_S", 60)
    monkeypatch.setattr(rig.driver, "publish", lambda _hints: None)
    batch = rig.submit(*(servers(f"op{n}") for n in range(31)), parallel_limit=31)

    go_on(rig.driver.runner, "default", task_id="t", limit_s=3600)
    assert rig.driver.status(batch) == "completed"
    assert len(informed) == 5  # One, two, four, eight and sixteen of them.


def test_a_child_ends_while_its_batch_was_informed_already(rig: Rig) -> None:
    batch = rig.submit(servers("op"))
    purpose = {"purpose": "child", "phase": "forward", "step": "op"}
    rig.db.write(lambda tx: timers.arm(tx, batch, due_at=FAR_MS, **purpose))

    assert rig.finish(batch) == "completed"


def test_a_copy_of_a_checkpoint_reads_what_completed_since_the_one_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = event_rows.unpacked

    def counted(rows: Sequence[Any], **which: Any) -> Any:
        read.append(len(rows))
        return real(rows, **which)

    monkeypatch.setattr(event_rows, "unpacked", counted)
    operations = [servers(f"op{n}", needs=[f"op{n - 1}"] if n else []) for n in range(12)]
    rig.run(*operations, rollback_strategy={"checkpoint_interval": 2})

    assert max(read) < 12, "the log is read anew for each checkpoint"


def test_usual_durations_are_asked_once_a_batch(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = runs.usual_duration

    def noted(tx: Tx, type_: str, declared: int) -> int:
        asked.append(type_)
        return real(tx, type_, declared)

    monkeypatch.setattr(runs, "usual_duration", noted)
    rig.run(*(servers(f"op{n}") for n in range(8)), parallel_limit=2)

    assert asked.count("batch.servers") == 1
