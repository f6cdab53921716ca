"""What messages may do, and how soon: the last one that was rung alone, and at once."""

from collections.abc import Iterator

from tests.chaos.checks.evidence import Evidence, Finding, Row
from tests.chaos.checks.recovery import recoveries

LOSES = frozenset({"process", "broker", "site"})  # Scopes of faults that a message may be lost with.


def newest(evidence: Evidence) -> Iterator[Finding]:
    """I3: a link of an older generation claims nothing once a newer one has claimed in its run."""
    for run_id, events in evidence.events.items():
        rows = {(row["phase"], row["key"]): row for row in evidence.steps.get(run_id, ())}
        last = {
            (one["phase"], one["step"]): one["seq"]
            for one in events
            if one["type"] in ("step.started", "step.polling")
        }
        highest: dict[str, int] = {}
        for phase, key in sorted(last, key=lambda where: last[where]):
            row = rows.get((phase, key))
            if row is None or row["branch"] or (gen := _generation(row)) is None:
                continue
            if gen < highest.get(phase, 0):
                what = f"claimed by a message of generation {gen}; {highest[phase]} had claimed before"
                yield Finding(number="generation", run_id=run_id, step=key, what=what)
            highest[phase] = max(gen, highest.get(phase, 0))


def _generation(row: Row) -> int | None:
    """The generation of the message whose link holds or held the step, which ends its task's id."""
    last = str(row["task_id"] or "").rpartition(".")[2]
    return int(last) if last.isdigit() else None


def prompt(evidence: Evidence) -> Iterator[Finding]:
    """Where nothing loses messages, none is lost: nobody has to ring a second time."""
    if any(one.scope in LOSES for one in evidence.injections):
        return
    for one in recoveries(evidence):
        if one.why == "message":
            what = f"nobody came for {one.took_ms} ms, though no fault had lost a message"
            yield Finding(number="bell", run_id=one.run_id, step=one.step, what=what)
