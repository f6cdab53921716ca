"""How a batch is informed of ended operations: once for many, and none is left out."""

from collections.abc import Iterable

import pytest

from app.engine.messages import publish
from app.engine.messages.publish import ParentTimers, publish_and_fire
from app.engine.transitions.journal import CHILD, Message, TimerMessage, timer_message
from app.record.runs import timers
from tests.integration.batches.rig import Rig, servers


class Kept:
    """What was published."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    def __call__(self, messages: Iterable[Message]) -> None:
        self.published += messages

    def take(self) -> list[str]:
        """The timers about which was published since this was last asked."""
        taken, self.published = self.published, []
        return [one.timer_id for one in taken if isinstance(one, TimerMessage)]


def uninformed(rig: Rig, monkeypatch: pytest.MonkeyPatch, *operations: str) -> tuple[str, list[TimerMessage]]:
    """A batch whose operations have ended, and was not informed; the messages about their ends."""
    monkeypatch.setattr(publish, "hear_children", lambda _tx, run_id: [])
    batch = rig.submit(*(servers(one) for one in operations))
    rig.driver.drain()
    monkeypatch.undo()
    armed = rig.db.read(lambda tx: timers.open_of(tx, batch))
    assert set(rig.statuses(batch).values()) == {"waiting"}
    return batch, [
        timer_message(one["id"], batch, CHILD, one["due_at"]) for one in armed if one["purpose"] == CHILD
    ]


def test_one_message_informs_of_all_that_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, ends = uninformed(rig, monkeypatch, "a", "b", "c")

    publish_and_fire(rig.db, rig.driver.publish, [ends[0]])

    assert set(rig.statuses(batch).values()) == {"completed"}
    assert rig.finish(batch) == "completed"


def test_a_reconciler_knows_of_each_end_before_another_run_may_take_long(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept()
    batch, ends = uninformed(rig, monkeypatch, "a", "b")
    parents = ParentTimers(rig.db, kept)

    noted = []
    for one in ends:
        parents.publish_others([one])
        parents.leave_to_reconciler()
        noted.append(kept.take())
    parents.leave_to_reconciler()

    assert noted == [[one.timer_id] for one in ends]
    assert not kept.take()
    assert set(rig.statuses(batch).values()) == {"waiting"}
    parents.fire()
    assert rig.finish(batch) == "completed"
