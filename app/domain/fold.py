"""The fold: a run's log, event by event, is its state. What the tables say is a copy of it.

    state = fold(events)             # the state after the last event
    state = state_as_of(events, 12)  # the state right after event 12

An event that changes the run's status says so under ``runStatus``; every other rule is one line of a table.
Events of unknown types change nothing but ``seq``, so that an older reader understands a newer log.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.domain.events import EventType
from app.domain.states import StepOutcome

Event = Mapping[str, Any]  # A row of the log: seq, type, phase, step, attempt, actor, payload, at.
State = dict[str, Any]
StepState = dict[str, object]
Payload = Mapping[str, object]
Steps = dict[tuple[str, str], StepState]
FAN_OUT = ("group", "map", "graph")
# Events whose payloads say nothing of the state, but for ``runStatus``.
UNFOLDED = (
    EventType.USER_EVENT,
    EventType.STEP_LOG,
    EventType.RUN_ANNOTATED,
    EventType.SIGNAL_RECEIVED,
    EventType.SIGNAL_CONSUMED,
    EventType.HOOK_EXECUTED,
)


def fold(events: Iterable[Event]) -> State:
    """The state of a run after these events, as plain JSON; they begin with the run's first one.

    ``status`` and each step's ``status``, ``attempt``, ``outcome`` and ``fence`` are those of the tables.
    ``steps`` keeps the plan's order, forward steps first. Times are milliseconds since 1970.
    """
    return Folded().after(events)


class Folded:
    """A fold that goes on: what it was after some events is not read again for those that follow."""

    def __init__(self) -> None:
        self._state = _empty()
        self._steps: Steps = {}

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return int(self._state["seq"])

    @property
    def size(self) -> int:
        """How many steps there are."""
        return len(self._steps)

    def after(self, events: Iterable[Event]) -> State:
        """The state after these events, which follow those before."""
        for one in events:
            _apply(self._state, self._steps, one)
        steps = (dict(step) for step in self._steps.values())
        order = sorted(steps, key=lambda step: (step["phase"] == "comp", step["ordinal"]))
        return {**self._state, "locks": dict(self._state["locks"]), "steps": order}


def state_as_of(events: Iterable[Event], seq: int) -> State:
    """The state right after event number ``seq``."""
    return fold(one for one in events if one["seq"] <= seq)


def _empty() -> State:
    times = dict.fromkeys(("at", "createdAt", "startedAt", "completedAt", "heldUntil"))
    facts = dict.fromkeys(("status", "goal", "input", "output", "error", "retryOf", "cancelRequested"))
    return {"seq": 0, **facts, **times, "locks": {}, "steps": []}


def _apply(state: State, steps: Steps, one: Event) -> None:
    payload = one["payload"] or {}
    state["seq"], state["at"] = one["seq"], one["at"]
    if "runStatus" in payload:
        state["status"] = payload["runStatus"]
    for facts in payload.get("steps", ()):
        steps[facts["phase"], facts["key"]] = _planned(facts)
    if one["type"] in RUN_RULES:
        RUN_RULES[one["type"]](state, one, payload)
    step = steps.get((one["phase"], one["step"])) if one["step"] is not None else None
    if step is not None:
        step["attempt"] = one["attempt"]
        if one["type"] in STEP_RULES:
            step.update(STEP_RULES[one["type"]](step, one, payload))
    if one["type"] == EventType.STEP_COMPENSATED:
        steps["forward", payload["undoes"]]["compensatedAt"] = one["at"]


def _planned(facts: Payload) -> StepState:
    known = ("phase", "key", "name", "kind", "ordinal", "branch")
    return {
        **{name: facts[name] for name in known},
        "status": facts.get("status", "pending"),
        "outcome": facts.get("outcome", StepOutcome.NONE),
        "output": facts.get("output"),
        "undoes": facts.get("undoes"),
        "reusedFrom": facts.get("reused_from"),
        "attempt": facts.get("attempt", 0),
        "fence": 0,
        **{name: facts.get(name) for name in ("error", "ref", "dueAt")},
        **dict.fromkeys(("startedAt", "completedAt", "compensatedAt")),
    }


def _created(state: State, one: Event, payload: Payload) -> None:
    state["status"] = payload.get("runStatus", "queued")
    state.update(createdAt=one["at"], input=payload["input"], retryOf=payload.get("retryOf"))


def _ended(state: State, one: Event, payload: Payload) -> None:
    state.update(completedAt=one["at"], output=payload.get("output"), error=payload.get("error"))


def _granted(state: State, _one: Event, payload: Payload) -> None:
    state["locks"][payload["resource"]] = payload["fence"]


def _released(state: State, _one: Event, payload: Payload) -> None:
    state["locks"].pop(payload["resource"], None)


def _asked_to_stop(state: State, one: Event, payload: Payload) -> None:
    state["cancelRequested"] = {"at": one["at"], "actor": one["actor"], "mode": payload["mode"]}


RUN_RULES: dict[str, Callable[[State, Event, Payload], None]] = {
    EventType.RUN_CREATED: _created,
    EventType.RUN_STARTED: lambda state, one, _payload: state.update(startedAt=one["at"]),
    EventType.RUN_COMPLETED: _ended,
    EventType.RUN_FAILED: _ended,
    EventType.RUN_CANCELLED: _ended,
    EventType.RUN_COMPENSATING: lambda state, _one, payload: state.update(
        goal=payload["goal"], heldUntil=None
    ),
    EventType.RUN_HELD: lambda state, _one, payload: state.update(heldUntil=payload["until"]),
    EventType.RUN_BLOCKED: lambda state, _one, payload: state.update(error=payload["error"]),
    EventType.RUN_RESUMED: lambda state, _one, _payload: state.update(error=None, goal=None, heldUntil=None),
    EventType.RUN_CANCEL_REQUESTED: _asked_to_stop,
    EventType.LOCK_GRANTED: _granted,
    EventType.LOCK_RELEASED: _released,
}


def _begun(step: StepState, one: Event, payload: Payload) -> StepState:
    started = {"startedAt": step["startedAt"] or one["at"], "dueAt": None, "error": None}
    if step["kind"] == "graph":  # From here on its children may have done something.
        return {**started, "status": "waiting", "outcome": StepOutcome.UNKNOWN}
    if step["kind"] in FAN_OUT:
        return {**started, "status": "waiting"}
    return {**started, "status": "running", "outcome": StepOutcome.UNKNOWN, "fence": payload["fence"]}


def _begun_inside(step: StepState, one: Event, _payload: Payload) -> StepState:
    """A step of a code workflow begins; it is its function that runs."""
    started = {"startedAt": step["startedAt"] or one["at"], "dueAt": None, "error": None}
    return {**started, "status": "pending", "outcome": StepOutcome.UNKNOWN}


def _failing(_step: StepState, _one: Event, payload: Payload) -> StepState:
    return {"error": payload["error"], "outcome": payload["outcome"]}


def _completed(_step: StepState, one: Event, payload: Payload) -> StepState:
    done = {"status": "completed", "outcome": StepOutcome.DONE, "error": None, "dueAt": None}
    return {**done, "output": payload.get("output"), "completedAt": one["at"]}


def _failed(step: StepState, one: Event, payload: Payload) -> StepState:
    outcome = payload.get("outcome", step["outcome"])
    return {"status": "failed", "outcome": outcome, "error": payload["error"], "completedAt": one["at"]}


def _waiting(_step: StepState, _one: Event, payload: Payload) -> StepState:
    return {"status": "waiting", "ref": payload["ref"], "dueAt": payload["until"]}


def _retrying(_step: StepState, _one: Event, payload: Payload) -> StepState:
    told = {"error": payload["error"], "outcome": payload["outcome"], "dueAt": payload["dueAt"]}
    return {"status": "retry_wait", **told}


def _ready(step: StepState, _one: Event, _payload: Payload) -> StepState:
    status = "waiting" if step["kind"] in FAN_OUT else "pending"
    return {"status": status, "dueAt": None, "completedAt": None}


def _cancelled(step: StepState, one: Event, payload: Payload) -> StepState:
    outcome = payload.get("outcome", step["outcome"])
    return {"status": "cancelled", "outcome": outcome, "dueAt": None, "completedAt": one["at"]}


def _resolved(step: StepState, one: Event, _payload: Payload) -> StepState:
    outcome = StepOutcome.DONE if step["phase"] == "forward" else step["outcome"]
    return {"status": "resolved", "outcome": outcome, "completedAt": one["at"]}


STEP_RULES: dict[str, Callable[[StepState, Event, Payload], StepState]] = {
    EventType.STEP_STARTED: _begun,
    EventType.STEP_POLLING: _begun,
    EventType.STEP_BEGUN: _begun_inside,
    EventType.STEP_FAILING: _failing,
    EventType.STEP_COMPLETED: _completed,
    EventType.STEP_FAILED: _failed,
    EventType.STEP_WAITING: _waiting,
    EventType.STEP_RETRYING: _retrying,
    EventType.STEP_READY: _ready,
    EventType.STEP_LOST: lambda _step, _one, _payload: {"outcome": StepOutcome.UNKNOWN},
    EventType.STEP_CANCELLED: _cancelled,
    EventType.STEP_SKIPPED: lambda _step, one, _payload: {"status": "skipped", "completedAt": one["at"]},
    EventType.STEP_RESOLVED: _resolved,
}
