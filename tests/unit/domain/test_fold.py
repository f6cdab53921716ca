"""The fold: a log is a state, at its end and at any point before."""

from typing import Any

import pytest

from app.domain.fold import fold, state_as_of

STEPS = [
    {
        "phase": "forward",
        "key": "a",
        "name": "t.a",
        "kind": "task",
        "ordinal": 1,
        "branch": "",
        "undoable": True,
    },
    {
        "phase": "forward",
        "key": "b",
        "name": "t.b",
        "kind": "task",
        "ordinal": 2,
        "branch": "",
        "undoable": True,
    },
]


def log(*told: tuple[str, str | None, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a log that begins with the creation of a run of two steps."""
    first = ("run.created", None, {"input": {"x": 1}, "steps": STEPS})
    return [
        {
            "seq": seq,
            "type": type_,
            "phase": "forward" if key else None,
            "step": key,
            "attempt": 1 if key else None,
            "actor": None,
            "payload": payload or None,
            "at": seq * 100,
        }
        for seq, (type_, key, payload) in enumerate((first, *told), 1)
    ]


STARTED = ("step.started", "a", {"fence": 1, "runStatus": "running"})
ERROR = {"code": "X", "message": "m"}


def test_a_new_run_is_queued_with_its_plan() -> None:
    state = fold(log())

    assert (state["status"], state["input"], state["createdAt"]) == ("queued", {"x": 1}, 100)
    assert [(step["key"], step["status"], step["attempt"]) for step in state["steps"]] == [
        ("a", "pending", 0),
        ("b", "pending", 0),
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            ("step.completed", "a", {"output": {"o": 1}}),
            {"status": "completed", "outcome": "done", "output": {"o": 1}},
        ),
        (("step.failed", "a", {"error": ERROR, "outcome": "none"}), {"status": "failed", "outcome": "none"}),
        (
            ("step.retrying", "a", {"error": ERROR, "outcome": "unknown", "dueAt": 9}),
            {"status": "retry_wait", "dueAt": 9},
        ),
        (("step.waiting", "a", {"ref": {"j": 1}, "until": 9}), {"status": "waiting", "ref": {"j": 1}}),
        (("step.ready", "a", {}), {"status": "pending"}),
        (("step.lost", "a", {}), {"status": "running", "outcome": "unknown"}),
        (("step.cancelled", "a", {"outcome": "unknown"}), {"status": "cancelled"}),
        (("step.skipped", "a", {}), {"status": "skipped", "outcome": "unknown"}),
        (("step.resolved", "a", {}), {"status": "resolved", "outcome": "done"}),
        (("step.unheard_of", "a", {}), {"status": "running"}),
    ],
)
def test_each_event_has_its_rule(told: tuple[str, str, dict[str, Any]], expected: dict[str, Any]) -> None:
    step = fold(log(STARTED, told))["steps"][0]

    assert {name: step[name] for name in expected} == expected
    assert (step["attempt"], step["fence"]) == (1, 1)


def test_the_state_as_of_an_event_knows_nothing_of_later_ones() -> None:
    events = log(STARTED, ("step.completed", "a", {}), ("run.completed", None, {"runStatus": "completed"}))

    assert state_as_of(events, 2)["status"] == "running"
    assert state_as_of(events, 2)["steps"][0]["status"] == "running"
    assert state_as_of(events, 4)["completedAt"] == 400
    assert state_as_of(events, 99) == fold(events)


def test_locks_come_and_go() -> None:
    granted = ("lock.granted", None, {"resource": "server/a", "fence": 7})
    released = ("lock.released", None, {"resource": "server/a"})

    assert fold(log(granted))["locks"] == {"server/a": 7}
    assert fold(log(granted, released))["locks"] == {}


def test_undo_steps_come_after_the_forward_ones_and_mark_them() -> None:
    undo = {**STEPS[0], "phase": "comp", "undoes": "a"}
    events = log(
        STARTED, ("run.compensating", None, {"goal": "failed", "steps": [undo], "runStatus": "compensating"})
    )
    events.append(
        {
            **events[-1],
            "seq": 4,
            "type": "step.compensated",
            "phase": "comp",
            "step": "a",
            "attempt": 1,
            "payload": {"undoes": "a"},
            "at": 400,
        }
    )
    state = fold(events)

    assert [(step["phase"], step["key"]) for step in state["steps"]][-1] == ("comp", "a")
    assert (state["goal"], state["steps"][0]["compensatedAt"]) == ("failed", 400)


def test_no_events_are_no_run() -> None:
    assert fold([])["status"] is None
