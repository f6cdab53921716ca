"""What the ledger must hold, given the record: effects have intents, undos come in reverse, once is once."""

import itertools
from collections.abc import Iterator, Sequence

from app.domain.states import TERMINAL, StepStatus
from tests.chaos.checks.evidence import Evidence, Finding, Row
from tests.chaos.workload.machines import STEP, resets_of

NOTED = ("did", "undid")  # The effects that settle a step of each phase.
HAPPENED = ("did", "began", "died")  # What there is to undo.


def intended(evidence: Evidence) -> Iterator[Finding]:
    """I8: every effect was claimed before, with this very fence; nothing happens that no log knows of."""
    claims = {
        (f"{run_id}/{one['phase']}/{one['step']}", one["payload"]["fence"])
        for run_id, events in evidence.events.items()
        for one in events
        if one["type"] in ("step.started", "step.polling") and "fence" in (one["payload"] or {})
    }
    for effect in evidence.effects:
        if (effect.operation, effect.fence) not in claims:
            what = f"{effect.effect} with fence {effect.fence}, which was never claimed"
            yield Finding(number="I8", run_id=effect.run_id, step=effect.step, what=what)


def settled(evidence: Evidence) -> Iterator[Finding]:
    """I3, I4: a result is that of the highest claim before it, and what it reports has really happened."""
    for run_id, events in evidence.events.items():
        if not str(evidence.runs[run_id]["type"]).startswith("chaos."):
            continue
        fences: dict[tuple[str, str], int] = {}
        for one in events:
            payload, where = one["payload"] or {}, (one["phase"], one["step"])
            if one["type"] in ("step.started", "step.polling") and "fence" in payload:
                fences[where] = payload["fence"]
            by = (payload.get("output") or {}).get("by") if one["type"] == "step.completed" else None
            if by is not None and where in fences and by != fences[where]:
                what = f"the result of fence {by} was stored though fence {fences[where]} held the step"
                yield Finding(number="stale", run_id=run_id, step=one["step"], what=what)


def happened(evidence: Evidence) -> Iterator[Finding]:
    """I8: a step that completed did what it reports; an undo that completed undid."""
    for row in _steps(evidence):
        if row["status"] != StepStatus.COMPLETED or row["kind"] in ("group", "map") or row["reused_from"]:
            continue
        if (row["completed_at"] or 0) >= evidence.read_at:
            continue
        effect = "did" if row["phase"] == "forward" else "undid"
        if not evidence.effects_of(row, effect):
            what = f"{row['phase']} step completed, and nothing happened"
            yield Finding(number="I8", run_id=row["run_id"], step=row["key"], what=what)


def ordered(evidence: Evidence) -> Iterator[Finding]:
    """I5, I6: the effects that counted came in the order of the plan, those of undos in the reverse."""
    for run_id, rows in evidence.steps.items():
        for phase, effect in zip(("forward", "comp"), NOTED, strict=True):
            line = [one for one in rows if one["phase"] == phase and not one["branch"]]
            places = [(place, row) for row in line if (place := _counted(evidence, row, effect)) is not None]
            for (first, before), (second, after) in itertools.pairwise(places):
                if first > second:
                    what = f"{phase} {after['key']} happened before {before['key']}"
                    yield Finding(number="I6", run_id=run_id, step=after["key"], what=what)


def _counted(evidence: Evidence, row: Row, effect: str) -> int | None:
    """The place of the effect of the attempt that was settled."""
    if row["status"] != StepStatus.COMPLETED or row["reused_from"]:
        return None
    mine = [place for place, one in evidence.effects_of(row, effect) if one.fence == row["fence"]]
    return mine[0] if mine else None


def undone(evidence: Evidence) -> Iterator[Finding]:
    """I6: everything that happened in a run that failed was undone, and nothing in one that completed."""
    for row in evidence.ours():
        if row["status"] not in TERMINAL or row["cancel_mode"] == "abandon":
            continue
        rows = evidence.steps.get(row["id"], ())
        undos = {one["undoes"]: one for one in rows if one["phase"] == "comp"}
        for one in rows:
            if one["phase"] == "forward":
                yield from _undone(evidence, row, one, undos.get(one["key"]))


def _undone(evidence: Evidence, run: Row, row: Row, undo: Row | None) -> Iterator[Finding]:
    did = any(evidence.effects_of(row, effect) for effect in HAPPENED) and not row["reused_from"]
    gone = undo is not None and bool(evidence.effects_of(undo, "undid"))
    where = {"run_id": run["id"], "step": row["key"]}
    if run["status"] == "completed" and (gone or undo is not None):
        yield Finding(number="I6", what="undone in a run that completed", **where)
    if run["status"] != "completed" and did and row["undoable"] and not gone:
        yield Finding(
            number="I6", what=f"happened and was not undone in a run that is {run['status']}", **where
        )
    if gone and not evidence.operations.get(f"{row['run_id']}/forward/{row['key']}") and row["fence"] == 0:
        yield Finding(number="I6", what="undone though it never started", **where)


def at_most_once(evidence: Evidence) -> Iterator[Finding]:
    """The order that must never be sent twice was not; poison killed no more than it may."""
    for operation, effects in evidence.operations.items():
        run_id, phase, step = operation.split("/", 2)
        sent = sum(one.effect == "did" for _, one in effects)
        if phase == "forward" and step == "once" and sent > 1:
            yield Finding(number="once", run_id=run_id, step=step, what=f"sent {sent} times")
        died = sum(one.effect == "died" for _, one in effects)
        if died > evidence.poison_limit:
            yield Finding(number="poison", run_id=run_id, step=step, what=f"killed {died} workers")


def rebooted(evidence: Evidence) -> Iterator[Finding]:
    """A hard reboot that completed reset its machine once, any other at most once."""
    known = resets_of(list(evidence.runs.values()), evidence.events, evidence.machines, evidence.resets)
    for row, times in known:
        if times > 1 or (times == 0 and row["status"] == "completed"):
            what = f"its machine was reset {times} times, and it is {row['status']}"
            yield Finding(number="once", run_id=row["id"], step=STEP, what=what)


def late(evidence: Evidence) -> list[str]:
    """The operations with an effect that came after that of a newer attempt: what no fence stops."""
    found = []
    for operation, effects in evidence.operations.items():
        highest = 0
        for _, one in effects:
            if one.fence < highest:
                found.append(operation)
                break
            highest = one.fence
    return found


def zombies(evidence: Evidence) -> Iterator[Finding]:
    """I14: effects of two attempts overlap only where a worker went on after its lease."""
    if not evidence.frozen:
        for operation in late(evidence):
            run_id, _, step = operation.split("/", 2)
            yield Finding(number="I14", run_id=run_id, step=step, what="an older attempt acted after a newer")


def _steps(evidence: Evidence) -> Iterator[Row]:
    for row in evidence.ours():
        steps: Sequence[Row] = evidence.steps.get(row["id"], ())
        yield from steps
