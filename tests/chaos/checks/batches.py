"""What batches promise: limits and order at every moment, no server without an owner, undos in reverse."""

from collections.abc import Iterator

from tests.chaos.checks.evidence import Evidence, Finding, Row

GRAPH = "graph:"
ENDS = ("step.completed", "step.failed", "step.cancelled")


def limited(evidence: Evidence) -> Iterator[Finding]:
    """I22: at no moment were more operations at work than the batch allows."""
    for batch in evidence.batches:
        working: set[str] = set()
        for one in _of_members(evidence, batch["run_id"]):
            if one["type"] == "step.waiting":
                working.add(one["step"])
            elif one["type"] in ENDS:
                working.discard(one["step"])
            if len(working) > batch["parallel_limit"]:
                what = f"{len(working)} operations at work at event {one['seq']}"
                yield Finding(number="I22", run_id=batch["run_id"], what=what)
                break


def ordered(evidence: Evidence) -> Iterator[Finding]:
    """I23: nothing began before what it needs had completed, in this batch or in one that it retries."""
    for batch in evidence.batches:
        done = {
            row["key"] for row in evidence.steps.get(batch["run_id"], ()) if row["reused_from"] is not None
        }
        needs = _needs(batch)
        for one in _of_members(evidence, batch["run_id"]):
            if one["type"] == "step.completed":
                done.add(one["step"])
            elif one["type"] == "step.waiting" and (missing := needs.get(one["step"], set()) - done):
                what = f"{one['step']} began before {', '.join(sorted(missing))} had completed"
                yield Finding(number="I23", run_id=batch["run_id"], what=what)


def undone_in_reverse(evidence: Evidence) -> Iterator[Finding]:
    """A rollback undoes what was needed only after what needed it."""
    needs_of = {batch["run_id"]: _needs(batch) for batch in evidence.batches}
    for row in evidence.runs.values():
        if row["type"] != "batch.rollback":
            continue
        needs, members = needs_of.get(row["parent_run_id"], {}), set()
        events = list(_of_members(evidence, row["id"]))
        members = {one["step"] for one in events}
        ended: set[str] = set()
        for one in events:
            if one["type"] in ENDS:
                ended.add(one["step"])
            if one["type"] != "step.waiting":
                continue
            early = {key for key, needed in needs.items() if one["step"] in needed and key in members - ended}
            if early:
                what = f"{one['step']} was undone before {', '.join(sorted(early))}, which needed it"
                yield Finding(number="undo order", run_id=row["id"], what=what)


def owned(evidence: Evidence) -> Iterator[Finding]:
    """Every server that there is belongs to a row of the inventory, and every one that runs is there."""
    live = {one["token"]: one for one in evidence.instances if one["state"] != "gone"}
    for token, name in evidence.sandboxes.items():
        if token not in live:
            yield Finding(number="stray", what=f"the server {name} has no owner")
    for token, one in live.items():
        if one["state"] == "running" and token not in evidence.sandboxes:
            yield Finding(number="stray", run_id=one["run_id"], what=f"the server {one['name']} is not there")


def _of_members(evidence: Evidence, run_id: str) -> Iterator[Row]:
    """The events of a graph that are about one of its operations that has begun."""
    return (
        one
        for one in evidence.events.get(run_id, ())
        if one["step"] and one["phase"] == "forward" and one["attempt"] and not one["step"].startswith(GRAPH)
    )


def _needs(batch: Row) -> dict[str, set[str]]:
    """What each operation needs to have completed."""
    return {
        one["id"]: {
            needed["id"] for needed in one["dependencies"] if needed.get("condition", "success") == "success"
        }
        for one in (batch["definition"] or {}).get("operations", ())
    }
