"""What the marks of code workflows must show, given the record: no result lost, no signal received twice."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.domain.states import TERMINAL
from tests.chaos.checks.evidence import Evidence, Finding, Row

WALK = "code.walk"
UNDOABLE = ("three", "four")


def replayed(evidence: Evidence) -> Iterator[Finding]:
    """A body was given the very results that the record has of the calls before it."""
    for mark in evidence.marks:
        calls = _calls(evidence, mark["run"])
        own = next((row for row in calls if row["key"] == mark["step"]), None)
        if mark["effect"] != "did" or own is None:
            continue
        before = [row for row in calls if row["ordinal"] < own["ordinal"] and row["output"]]
        values = [_value(row) for row in before if row["kind"] == "task" and "-" not in row["key"]]
        words = [_value(row) for row in before if row["kind"] == "signal"]
        known = ([None, *values][-1], words)
        if (mark["after"], mark["words"]) != known:
            what = f"its body was given {(mark['after'], mark['words'])}, the record has {known}"
            yield Finding(number="replay", run_id=mark["run"], step=mark["step"], what=what)


def kept(evidence: Evidence) -> Iterator[Finding]:
    """What a step is recorded to have given, one of its bodies gave; none began again without a reason."""
    given: dict[tuple[str, str], list[Any]] = {}
    for mark in evidence.marks:
        if mark["effect"] == "did":
            given.setdefault((mark["run"], mark["step"]), []).append(mark["value"])
    for run_id in {run for run, _ in given}:
        events = evidence.events.get(run_id, ())
        lost = Counter(one["step"] for one in events if one["type"] == "step.lost")
        for row in _calls(evidence, run_id):
            values = given.get((run_id, row["key"]), [])
            if row["kind"] != "task" or row["status"] != "completed" or row["reused_from"]:
                continue
            if _value(row) not in values:
                yield Finding(number="replay", run_id=run_id, step=row["key"], what="no body gave its result")
            most = max(1, row["attempt"]) + lost["main"] + lost[row["key"]]
            if len(values) > most and not evidence.frozen:
                what = f"its body began {len(values)} times, for which there were {most} reasons"
                yield Finding(number="again", run_id=run_id, step=row["key"], what=what)


def signalled(evidence: Evidence) -> Iterator[Finding]:
    """Signals are received in the order they were sent, each once; a completed run has received them all."""
    for row in _runs(evidence):
        words = [
            _value(one) for one in _calls(evidence, row["id"]) if one["kind"] == "signal" and one["output"]
        ]
        if any(not isinstance(one, int) for one in words) or words != sorted(set(words)):
            yield Finding(number="signals", run_id=row["id"], what=f"it received {words}")
        wanted = list(range(_given(row).get("words", 0)))
        if row["type"] == WALK and row["status"] == "completed" and words != wanted:
            yield Finding(number="signals", run_id=row["id"], what=f"it received {words} of {wanted}")


def fared(evidence: Evidence) -> Iterator[Finding]:
    """A run ends as its input demands; what had happened is undone exactly in those that did not complete."""
    undone = Counter((mark["run"], mark["step"]) for mark in evidence.marks if mark["effect"] == "undid")
    for row in _runs(evidence):
        fate = {"failed" if row["type"] == WALK and _given(row)["fails"] else "completed"}
        if row["cancel_requested_at"] is not None:
            fate |= {"cancelled"}
        if row["status"] in TERMINAL and row["status"] not in fate:
            why = f"{row['error_code']} {row['error_message']}"
            what = f"{row['type']} is {row['status']}, expected {sorted(fate)}: {why}"
            yield Finding(number="fate", run_id=row["id"], what=what)
        yield from _undone(evidence, row, undone)


def _undone(evidence: Evidence, run: Row, undone: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    if run["status"] not in TERMINAL or run["cancel_mode"] == "abandon":
        return
    did = {mark["step"] for mark in evidence.marks if mark["run"] == run["id"] and mark["effect"] == "did"}
    for step in UNDOABLE:
        gone = undone[run["id"], step] > 0
        if gone and run["status"] == "completed":
            yield Finding(number="I6", run_id=run["id"], step=step, what="undone in a run that completed")
        if step in did and not gone and run["status"] != "completed":
            what = f"happened and was not undone in a run that is {run['status']}"
            yield Finding(number="I6", run_id=run["id"], step=step, what=what)


def _runs(evidence: Evidence) -> Iterator[Row]:
    return (row for row in evidence.runs.values() if str(row["type"]).startswith("code."))


def _calls(evidence: Evidence, run_id: str) -> Sequence[Row]:
    rows = evidence.steps.get(run_id, ())
    return sorted((row for row in rows if row["phase"] == "forward" and row["branch"]), key=_ordinal)


def _ordinal(row: Row) -> int:
    return int(row["ordinal"])


def _value(row: Row) -> Any:
    return (row["output"] or {}).get("value")


def _given(row: Row) -> Row:
    args = (row["input"] or {}).get("args") or [{}]
    return dict(args[0])
