"""What must hold for runs of code workflows beyond what holds for every run; see `app.domain.invariants`."""

from collections import Counter
from collections.abc import Iterator

from app.domain.case import Case, Row
from app.domain.events import EventType
from app.domain.states import STEP_ENDED, TERMINAL, RunStatus, StepStatus

KINDS = frozenset({"code", "sleep", "signal", "child", "event", "value", "hook"})
BEGINNINGS = frozenset({EventType.STEP_BEGUN, EventType.USER_EVENT, EventType.SIGNAL_RECEIVED})


def is_member(row: Row) -> bool:
    """Whether a step is a call of ctx.parallel with a message of its own."""
    return bool(row["name"] == "code.call" and row["phase"] == "forward")


def waits_alive(case: Case) -> Iterator[str]:
    """Whatever waits for time has a timer; the function waits for something."""
    for row in _waiting(case):
        timer = {"sleep": "sleep", "signal": "deadline"}.get(row["kind"])
        timed = timer is not None and row["retry_at"] is not None
        if row["kind"] == "sleep" and row["retry_at"] is None:
            yield f"step {row['key']} sleeps without an end"
        if timed and not case.armed(str(timer), row):
            yield f"step {row['key']} waits and no timer ends that"
        if row["kind"] == "child" and row["ref"] is None:
            yield f"step {row['key']} waits for a run that was never started"
        if row["kind"] == "code" and not _open_calls(case):
            yield "all calls of the function have ended and it waits for them"


def counted(case: Case) -> Iterator[str]:
    """A function that waits knows for how many calls."""
    if case.status in TERMINAL or case.status == RunStatus.CANCELLING:  # Nobody counts what stops.
        return
    for row in _waiting(case):
        if row["kind"] == "code" and row["pending"] != len(_open_calls(case)):
            yield f"{row['key']} counts {row['pending']} open calls; there are {len(_open_calls(case))}"


def consumed_once(case: Case) -> Iterator[str]:
    """Each signal is told once and taken at most once, the oldest of a name first."""
    told = Counter(_signal_of(one) for one in case.events if one["type"] == EventType.SIGNAL_RECEIVED)
    for one in case.events:
        if one["type"] == EventType.RUN_RESTARTED:  # What nobody had taken went on with the fresh run.
            told.subtract((one["payload"] or {}).get("signals", ()))
    told = +told
    taken = Counter(_signal_of(one) for one in case.events if one["type"] == EventType.SIGNAL_CONSUMED)
    for row in case.signals:
        expected = 0 if row["consumed_by"] is None else 1
        if taken.pop(row["id"], 0) != expected:
            yield f"signal {row['id']} was consumed by {row['consumed_by']}, which the log does not say once"
        if told.pop(row["id"], 0) != 1:
            yield f"signal {row['id']} was not received once"
    for signal_id in {*told, *taken}:
        yield f"signal {signal_id} is in the log alone"
    yield from _first_come(case)


def within_limit(case: Case) -> Iterator[str]:
    """Once the log has as many events as it may have, nothing begins any more."""
    most = (case.run["limits"] or {}).get("maxEvents")
    for one in case.events[most:] if most is not None else ():
        member = one["type"] == EventType.STEP_STARTED and one["phase"] == "forward" and one["step"] != "main"
        steps = (one["payload"] or {}).get("steps", ())
        new = any(facts["phase"] == "forward" for facts in steps)
        if member or new or one["type"] in BEGINNINGS:
            yield f"event {one['seq']} is {one['type']}; its run may have {most} events"


def _first_come(case: Case) -> Iterator[str]:
    place = {row["key"]: row["ordinal"] for row in case.forward()}
    bound = {row["key"] for row in case.forward() if (row["given"] or {}).get("hook")}
    last: dict[str, tuple[int, str]] = {}
    for row in sorted(case.signals, key=lambda row: row["seq"]):
        if (
            row["consumed_by"] in bound
        ):  # What waits for a hook takes what this hook brings, whenever it came.
            continue
        if row["consumed_by"] is None:
            last[row["name"]] = (1 << 62, row["id"])
            continue
        ordinal = place.get(row["consumed_by"], 0)
        before, other = last.get(row["name"], (0, ""))
        if ordinal <= before:
            yield f"signal {row['id']} was consumed before {other} by {row['consumed_by']}, or beside it"
        last[row["name"]] = (ordinal, row["id"])


def _waiting(case: Case) -> list[Row]:
    return [row for row in case.forward() if row["kind"] in KINDS and row["status"] == StepStatus.WAITING]


def _open_calls(case: Case) -> list[Row]:
    return [row for row in case.forward() if row["branch"] and row["status"] not in STEP_ENDED]


def _signal_of(event: Row) -> str:
    return str((event["payload"] or {}).get("signalId"))
