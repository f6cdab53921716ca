"""What a delivery says is folded once a process, however long the log of its run is."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.record.runs import event_log, runs
from app.services import folds
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the events that were read for the fold."""
    seen: list[int] = []
    walk = event_log.walk

    def noted(*args: Any, **how: Any) -> Iterator[dict[str, Any]]:
        for one in walk(*args, **how):
            seen.append(one["seq"])
            yield one

    monkeypatch.setattr(event_log, "walk", noted)
    return seen


def test_each_event_is_read_once_for_all_deliveries(rig: Rig, to: Inbox, read: list[int]) -> None:
    rig.endpoint(to.url)
    rig.endpoint(to.url, "step.completed")
    rig.ran()
    rig.deliver_until_quiet()
    assert len(to.received) == 9
    assert read == sorted(set(read))


def test_a_delivery_that_comes_late_says_what_was_true_at_its_event(
    rig: Rig, to: Inbox, read: list[int]
) -> None:
    rig.endpoint(to.url, "run.started", "run.completed")
    rig.ran()
    rig.driver.to_deliver.rotate(1)
    rig.deliver()
    assert [(one.event, one.data["status"]) for one in to.received] == [
        ("run.completed", "completed"),
        ("run.started", "running"),
    ]


def test_what_went_in_and_came_out_is_not_kept(rig: Rig) -> None:
    run_id = rig.ran()
    last = rig.driver.run(run_id)["event_seq"]
    state, _ = rig.read(lambda tx: folds.as_of(tx, run_id, last))
    assert rig.driver.step(run_id, "first")["output"]
    assert [step["output"] for step in state["steps"]] == [None] * 3
    slim = rig.read(lambda tx: runs.slim_steps(tx, run_id))
    assert [row["output"] for row in slim] == [None] * 3
