"""Graphs: a child run for each member, begun when what the member needs has ended, so many at a time.

All of it happens under the lock of the graph's run, and each rule does nothing when it is repeated.

1. A member counts in ``pending`` the edges that are not met yet. At zero it may begin, if the graph has room:
   first the one with the smallest ordinal.
2. A child that ends arms the timer ``child`` of this run. The member is settled: each edge from it is met, or
   leaves out who needs it, and so on along the edges.
3. A failure whose policy stops the graph lets nothing new begin; what runs ends.
4. Nothing runs and nothing may begin: the graph has completed, or failed, and its run ends or is undone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.batch import edges, effects
from app.domain.events import EventType
from app.domain.ids import derived_id
from app.domain.rows.batches import EdgeRow
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import TERMINAL, RunStatus, StepOutcome, StepStatus
from app.engine.transitions import accept, checkpoints
from app.engine.transitions.accept import NewRun, Order
from app.engine.transitions.advance import MOVING, advance
from app.engine.transitions.compensate import settled_while_stopping, stop
from app.engine.transitions.journal import GRAPH, Journal
from app.engine.transitions.step_rows import step_row
from app.record.batches import graphs
from app.record.runs import runs, timers
from chains import catalogue

AT_ONCE = 32  # Children that one transaction starts; for more the run arms a timer for itself.
STRENGTH = {"continue": 0, "fail": 1, "hold": 2, "rollback": 3}
ON_FAILURE = {"continue": "keep", "fail": "keep", "hold": "hold", "rollback": "compensate"}
PARTIAL = "PARTIALLY_COMPLETED"
NAMED = 5  # Failed members that an error names.


@dataclass(frozen=True, kw_only=True)
class Fate:
    """How a member ended, as those see it that need it."""

    status: str
    reason: str | None = None  # Why it was skipped.


def turn(j: Journal, group: StepRow | None = None) -> None:
    """Start what may begin, and end the graph when nothing runs and nothing may; safe to call at any time."""
    group = group or j.one("forward", GRAPH)
    if group is None or j.status not in MOVING:
        return
    if group["status"] == StepStatus.PENDING:
        _open(j, group)
    if group["status"] != StepStatus.WAITING:
        return
    stopping = _given(group).get("stop")
    begun = 0 if stopping else _start_ready(j, group)
    if begun == 0 and (stopping or group["pending"] == 0) and graphs.at_work(j.tx, j.id) == 0:
        _end(j, group)


def children_ended(j: Journal, group: StepRow, members: Sequence[StepRow]) -> None:
    """The runs of members have ended: settle the members, all together, and see what follows."""
    waiting = [one for one in members if one["status"] == StepStatus.WAITING]
    # Without their locks: an ended status is final, and the timer that brought us here was committed with it.
    children = runs.outcomes(j.tx, [str(one["ref"]) for one in waiting])
    over = [(one, child) for one in waiting if _is_over(child := children.get(str(one["ref"])))]
    if not over:
        return
    # In the order in which they ended, so that what is skipped names the failure that came first.
    _settle(j, group, sorted(over, key=lambda one: _ended_at(one[1])))
    if j.status == RunStatus.CANCELLING:
        settled_while_stopping(j)
    else:
        turn(j, group)


def _is_over(child: RunRow | None) -> bool:
    return child is None or child["status"] in TERMINAL


def _ended_at(child: RunRow | None) -> int:
    return 0 if child is None else child["completed_at"] or 0


def skip_all(j: Journal, group: StepRow, fates: Mapping[str, Fate]) -> None:
    """Let those who need these members know how they ended: what is met, and what is left out for good."""
    met: dict[str, int] = {}
    skipped: dict[str, tuple[str, str]] = {}
    _follow(j, fates, met, skipped)
    graphs.need_less(j.tx, j.id, {key: count for key, count in met.items() if key not in skipped})
    if skipped:
        _skip(j, group, skipped)


def _follow(
    j: Journal, fates: Mapping[str, Fate], met: dict[str, int], skipped: dict[str, tuple[str, str]]
) -> None:
    """Walk along the edges from members that ended; those below are read once something is left out."""
    edges_of: dict[str, list[EdgeRow]] = {}
    for one in graphs.edges_from(j.tx, j.id, fates):
        edges_of.setdefault(one["needs"], []).append(one)
    unmet = [key for key, found in edges_of.items() if not all(_is_met(one, fates[key]) for one in found)]
    open_: set[str] = set()
    if unmet:
        for one in graphs.edges_below(j.tx, j.id, unmet):
            if one["needs"] not in fates:
                edges_of.setdefault(one["needs"], []).append(one)
        touched = {one["key"] for found in edges_of.values() for one in found}
        known = graphs.statuses(j.tx, j.id, touched)
        open_ = {key for key, status in known.items() if status == StepStatus.PENDING}
    for start in fates.items():  # As if each had ended alone, in this order.
        frontier = [start]
        while frontier:
            needed, ended = frontier.pop()
            for one in edges_of.get(needed, ()):
                waits = one["key"]
                if _is_met(one, ended):
                    met[waits] = met.get(waits, 0) + 1
                # Only who has not begun can be left out. What an earlier child has already let begin stands.
                elif waits in open_ and waits not in skipped:
                    reason = edges.reason_to_skip(one["condition"], ended.status, ended.reason)
                    skipped[waits] = (reason, needed)
                    frontier.append((waits, Fate(status="skipped", reason=reason)))


def _is_met(one: EdgeRow, ended: Fate) -> bool:
    return edges.is_met(one["condition"], ended.status, ended.reason)


def _skip(j: Journal, group: StepRow, skipped: Mapping[str, tuple[str, str]]) -> None:
    by: dict[tuple[str, str], list[str]] = {}
    for key, why in skipped.items():
        by.setdefault(why, []).append(key)
    for (reason, because), keys in by.items():
        said = {"skipped": reason, "because": because}
        graphs.end_members(
            j.tx, j.id, keys, {"status": str(StepStatus.SKIPPED), "output": said, "completed_at": j.now}
        )
        for key in keys:
            j.event(EventType.STEP_SKIPPED, _named(key), reason=reason, because=because)
    j.change(group, pending=group["pending"] - len(skipped))


def _named(key: str) -> StepRow:
    """A member that never began, for the log."""
    return {"phase": "forward", "key": key, "attempt": 0}


def _open(j: Journal, group: StepRow) -> None:
    timers.disarm(j.tx, j.id, purposes=("graph",))
    if j.status == RunStatus.QUEUED:
        j.become(RunStatus.RUNNING, started_at=j.now)
        j.event(EventType.RUN_STARTED)
    again = group["attempt"] + 1
    j.move(
        group,
        StepStatus.WAITING,
        attempt=again,
        outcome=StepOutcome.UNKNOWN,
        started_at=j.now,
        first_started_at=j.now,
    )
    j.event(EventType.STEP_STARTED, group, members=group["pending"])


def _start_ready(j: Journal, group: StepRow) -> int:
    # Counted from the rows under the lock of the run, so that the limit is exact over any number of hosts
    # (I22; chaos: "one operation too many").
    limit = _given(group).get("limit")
    room = AT_ONCE if limit is None else int(limit) - graphs.at_work(j.tx, j.id)
    if room <= 0:
        return 0
    rows = graphs.ready(j.tx, j.id, min(room, AT_ONCE))
    usual: dict[str, int] = dict(_given(group).get("usual") or {})
    children = [_begun(j, row, usual) for row in rows]
    began = [
        (row, StepStatus.WAITING, _at_work(j, row, child)) for row, child in zip(rows, children, strict=True)
    ]
    j.move_members(began)
    for row in rows:
        j.event(EventType.STEP_WAITING, row, ref=row["ref"], until=None)
    j.messages += accept.store_all(j.tx, children, j.watched)
    if len(rows) == AT_ONCE and (limit is None or room > AT_ONCE):
        j.arm_other(j.id, "graph")
    return len(rows)


def _at_work(j: Journal, member: StepRow, child: NewRun) -> StepRow:
    return {
        "ref": child.id,
        "attempt": member["attempt"] + 1,
        "started_at": j.now,
        "first_started_at": j.now,
    }


def _begun(j: Journal, member: StepRow, usual: dict[str, int]) -> NewRun:
    """The child run of a member that begins; its id is the same for whoever starts it."""
    wanted = _given(member)
    kind = catalogue.lookup(wanted["type"])
    if kind.name not in usual:
        usual[kind.name] = runs.usual_duration(j.tx, kind.name, kind.eta_ms)
    given = {**wanted["input"], **({"upstream": _upstream(j, member)} if wanted.get("soft") else {})}
    child_id = derived_id("run", j.id, member["key"])
    order = Order(type=kind.name, input=given, on_failure="keep", parent_run_id=j.id, tags=None)
    rows = [step_row(child_id, row) for row in kind.plan(given).rows()]
    new = accept.of_type(kind, child_id, order, given, rows, j.run["triggered_by"])
    known: RunRow = {"parent_step": member["key"]}
    return replace(new, columns=known, eta_ms=usual[kind.name], measured=False)


def _upstream(j: Journal, member: StepRow) -> dict[str, Any]:
    """How those ended that a member waits for whatever becomes of them."""
    soft = [one["needs"] for one in graphs.edges_to(j.tx, j.id, member["key"]) if one["kind"] != "hard"]
    return {key: {"status": status} for key, status in graphs.statuses(j.tx, j.id, soft).items()}


def _settle(j: Journal, group: StepRow, ended: Sequence[tuple[StepRow, RunRow | None]]) -> None:
    """Settle members whose runs have ended, in this order; those who need them hear of all at once."""
    policies = group["given"]
    moved, fates = list[tuple[StepRow, str, StepRow]](), dict[str, Fate]()
    for member, child in ended:
        status, known = _ending(j, member, child)
        moved.append((member, status, known))
        group["pending"] -= 1
        if status == StepStatus.COMPLETED:
            j.event(EventType.STEP_COMPLETED, member, output=known["output"])
            fates[member["key"]] = Fate(status="completed")
            _succeeded(j, group)
        elif status == StepStatus.CANCELLED:
            j.event(EventType.STEP_CANCELLED, member)
        else:
            j.event(EventType.STEP_FAILED, member, error=known["error"])
            fates[member["key"]] = Fate(status="failed")
            _failed(j, group, member)
    j.move_members(moved)
    counts: StepRow = {
        "pending": group["pending"],
        "succeeded": group["succeeded"],
        "failures": group["failures"],
    }
    if group["given"] is not policies:
        counts["given"] = group["given"]
    j.change(group, **counts)
    skip_all(j, group, fates)


def _ending(j: Journal, member: StepRow, child: RunRow | None) -> tuple[StepStatus, StepRow]:
    """How a member ends whose run has, and what is kept of it."""
    if child is not None and child["status"] == RunStatus.COMPLETED:
        output = effects.left(child["output"] or {}) or None
        return StepStatus.COMPLETED, {"output": output, "outcome": StepOutcome.DONE, "completed_at": j.now}
    cancelled = child is None or child["status"] == RunStatus.CANCELLED
    # We have asked it to stop, so its end is no failure, and no policy of the graph may judge it as one.
    over = StepStatus.CANCELLED if j.status == RunStatus.CANCELLING and cancelled else StepStatus.FAILED
    return over, {"error": _error(member, child), "completed_at": j.now}


def _succeeded(j: Journal, group: StepRow) -> None:
    group["succeeded"] += 1
    every = _given(group).get("checkpoint_every")
    if every and group["succeeded"] % every == 0:
        checkpoints.add(j, "interval")


def _failed(j: Journal, group: StepRow, member: StepRow) -> None:
    group["failures"] += 1
    policy = _given(member).get("on_failure", "continue")
    if STRENGTH[policy] > STRENGTH[_given(group).get("stop") or "continue"]:
        group["given"] = {**_given(group), "stop": policy}
        checkpoints.add(j, "failure")


def _error(member: StepRow, child: RunRow | None) -> dict[str, Any]:
    if child is None:
        return {"code": "NOT_FOUND", "message": f"The run {member['ref']} has ended and was deleted"}
    error = {
        "code": child["error_code"] or "CANCELLED",
        "message": child["error_message"] or f"The run {child['id']} was {child['status']}",
    }
    return {**error, "details": {"runId": child["id"]}}


def _end(j: Journal, group: StepRow) -> None:
    """Nothing runs and nothing may begin: the graph is done, or its run does what the policy says."""
    policy = str(_given(group).get("stop") or "continue")
    left = graphs.pending(j.tx, j.id)
    if policy != "hold" and left:
        _cancel_pending(j, group, left)
    if group["failures"] == 0:
        counts = {"completed": group["succeeded"]}
        output = {str(_given(group)["gives"]): counts}
        j.move(group, StepStatus.COMPLETED, output=output, outcome=StepOutcome.DONE, completed_at=j.now)
        j.event(EventType.STEP_COMPLETED, group, output=output)
        advance(j)
        return
    error, first = _verdict(j, group, policy)
    j.move(group, StepStatus.FAILED, error=error, completed_at=j.now)
    j.event(EventType.STEP_FAILED, group, error=error)
    j.set(error_code=error["code"], error_message=error["message"], error_step=first)
    j.set(on_failure=ON_FAILURE[policy])
    stop(j, RunStatus.FAILED, hold=policy == "hold")


def _verdict(j: Journal, group: StepRow, policy: str) -> tuple[dict[str, Any], str]:
    failed = [row for row in graphs.members(j.tx, j.id) if row["status"] == StepStatus.FAILED]
    failed.sort(key=lambda row: row["completed_at"] or 0)
    names = ", ".join(row["key"] for row in failed[:NAMED]) + (" …" if len(failed) > NAMED else "")
    first = failed[0]
    error = first["error"] or {}
    partial = policy == "continue" and group["succeeded"] > 0
    told = f"{len(failed)} of its operations failed: {names}; the first said: {error.get('message')}"
    return {"code": PARTIAL if partial else error.get("code", "STEP_FAILED"), "message": told}, first["key"]


def _cancel_pending(j: Journal, group: StepRow, left: Iterable[StepRow]) -> None:
    keys = [row["key"] for row in left]
    over: StepRow = {"status": str(StepStatus.CANCELLED), "completed_at": j.now}
    graphs.end_members(j.tx, j.id, keys, over)
    for key in keys:
        j.event(EventType.STEP_CANCELLED, _named(key))
    j.change(group, pending=group["pending"] - len(keys))


def _given(row: StepRow) -> dict[str, Any]:
    return dict(row["given"] or {})
