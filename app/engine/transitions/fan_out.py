"""Fan-out and fan-in, counted in SQL: members start, each end is counted once, the join closes once.

1. A map reads its list, and its members become rows. The members of a group were planned with the run.
2. The fan-out waits and counts its open branches in ``pending``. The first branches are published, as many as
   ``limit`` allows.
3. Each branch that ends is counted, under the lock of the run or by a difference (`fast_path.branch`). The
   next idle branch is published.
4. The join judges after each one: completed, failed, or not yet. The transaction that makes it complete
   cancels what waits, collects the results in the order of the items and lets the run advance.
5. A member that ends later finds its fan-out closed: it is recorded and counts no more.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from app.domain.errors import PlanError
from app.domain.events import EventType
from app.domain.json import JsonObject
from app.domain.plan import map_rows
from app.domain.policy import Join
from app.domain.rows import picked
from app.domain.rows.runs import StepRow
from app.domain.states import FORWARD, STEP_DONE, StepOutcome, StepStatus
from app.engine.transitions.journal import Journal
from app.engine.transitions.step_rows import afresh, collected, known_values, plan_facts, step_row
from app.record.runs import runs
from chains import catalogue


def open_fan_out(j: Journal, group: StepRow, line: Sequence[StepRow]) -> None:
    """Start the members, as many as the limit allows; `PlanError` when there is no list to map over."""
    if group["kind"] == "map" and group["attempt"] == 0:
        _insert_members(j, group, _items(j, group, line))
    members = runs.members(j.tx, j.id, group["key"])
    branches = _branches(members)
    j.move(group, StepStatus.WAITING, attempt=group["attempt"] + 1, pending=len(branches), started_at=j.now)
    j.event(EventType.STEP_STARTED, group, members=len(branches))
    if branches:
        _start_all(j, group, branches.values())
    else:
        close_fan_out(j, group)


def _start_all(j: Journal, group: StepRow, branches: Iterable[Sequence[StepRow]]) -> None:
    """Enqueue the branches of a fan-out that opens, up to its limit: one write, however many they are."""
    if j.status not in FORWARD:
        return
    left = ([row for row in rows if row["status"] not in STEP_DONE] for rows in branches)
    idle = [
        rows
        for rows in left
        if rows and rows[0]["status"] == StepStatus.PENDING and rows[0]["expect_since"] is None
    ]
    limit = (group["given"] or {}).get("limit")
    j.enqueue_members(idle if limit is None else idle[:limit])


def start_branches(j: Journal, group: StepRow) -> None:
    """Enqueue idle branches, up to the limit of concurrent ones, unless the run stands still."""
    if j.status not in FORWARD:
        return
    limit = (group["given"] or {}).get("limit")
    idle, all_idle = runs.idle_branches(j.tx, j.id, group["key"], limit)
    room = len(idle) if limit is None else max(0, limit - (group["pending"] - all_idle))
    for branch in idle[:room]:
        rows = j.line("forward", branch)
        j.enqueue(next(row for row in rows if row["status"] == StepStatus.PENDING), rows)


def count_branch(j: Journal, step: StepRow, *, failed: bool) -> tuple[StepRow, str | None] | None:
    """Count a branch that has ended; returns the group and the join's verdict, None when it is closed."""
    group = group_of(j, step)
    # A straggler: the join has closed without it. Counting it would close the join a second time
    # (test_a_straggler_that_fails_after_its_join_closed_changes_nothing).
    if group is None or group["status"] != StepStatus.WAITING:
        return None
    pending = group["pending"] - 1
    if failed:
        j.change(group, pending=pending, failures=group["failures"] + 1)
    else:
        j.change(group, pending=pending, succeeded=group["succeeded"] + 1)
    verdict = _verdict(group)
    if verdict is None and (group["given"] or {}).get("limit") is not None:
        start_branches(j, group)
    return group, verdict


def group_of(j: Journal, step: StepRow) -> StepRow | None:
    """The fan-out that a step is a member of."""
    return j.one("forward", step["branch"].rsplit("/", 1)[0])


def _verdict(group: StepRow) -> str | None:
    given = group["given"] or {}
    total = group["pending"] + group["succeeded"] + group["failures"]
    join = Join(need=given.get("need"), collect=bool(given.get("collect")))
    return join.verdict(total=total, done=group["succeeded"], failed=group["failures"])


def close_fan_out(j: Journal, group: StepRow) -> None:
    """Complete a fan-out: late members are cancelled, results are given in the order of the items."""
    members = runs.members(j.tx, j.id, group["key"])
    for row in members:
        # Not those that run: nobody can call back what they do. They end in their own time, and are undone
        # with the others if the run turns back.
        if row["status"] in (StepStatus.PENDING, StepStatus.RETRY_WAIT, StepStatus.WAITING):
            j.move(row, StepStatus.CANCELLED, expect_since=None, completed_at=j.now)
            j.event(EventType.STEP_CANCELLED, row)
    if group["kind"] == "map":
        gives = (group["given"] or {})["gives"]
        output: JsonObject = {gives: [_result(rows) for rows in _branches(members).values()]}
    else:
        output = collected(members)
    j.move(
        group, StepStatus.COMPLETED, output=output, outcome=StepOutcome.DONE, pending=0, completed_at=j.now
    )
    j.event(EventType.STEP_COMPLETED, group, output=output)


def reopen_fan_out(j: Journal, group: StepRow, step: StepRow) -> None:
    """An operator lets a fan-out go on after one of its members, or itself, stood in the way.

    A fan-out that has failed tries all failed members again; what has ended is counted anew. A member
    that may have happened and that the operator did not name looks before it leaps.
    """
    failed = group["status"] == StepStatus.FAILED
    branches = _branches(runs.members(j.tx, j.id, group["key"])).values()
    for row in (row for rows in branches for row in rows if row["status"] == StepStatus.FAILED):
        if failed or row["key"] == step["key"]:
            unsure = row["unsure"] and row["key"] != step["key"]
            j.move(row, StepStatus.PENDING, **afresh(unsure=unsure))
            j.event(EventType.STEP_READY, row)
    # Counted from the rows, not from the counters: those hold the failures that the operator has just taken
    # back.
    done = sum(1 for rows in branches if rows[-1]["status"] in STEP_DONE)
    lost = sum(
        1 for rows in branches if any(r["status"] == StepStatus.FAILED and not blocks(r) for r in rows)
    )
    counted: StepRow = {
        "pending": len(branches) - done - lost,
        "succeeded": done,
        "failures": lost,
        "error": None,
    }
    if failed:
        j.move(group, StepStatus.WAITING, **counted)
        j.event(EventType.STEP_READY, group)
    else:
        j.change(group, **counted)
    if _verdict(group) == "completed":
        close_fan_out(j, group)
    else:
        start_branches(j, group)


def blocking_member(j: Journal, group: StepRow) -> StepRow | None:
    """A member of an open fan-out that needs an operator."""
    if group["status"] != StepStatus.WAITING:
        return None
    return next((row for row in runs.members(j.tx, j.id, group["key"]) if blocks(row)), None)


def blocks(row: StepRow) -> bool:
    """Whether a failed step may have happened and must not be repeated, so that only people can go on.

    Of a step of another release nobody here knows that it may be repeated.
    """
    if row["status"] != StepStatus.FAILED or row["outcome"] != StepOutcome.UNKNOWN:
        return False
    return catalogue.is_foreign(row) or catalogue.step_named(row["name"]).at_most_once


def _items(j: Journal, group: StepRow, line: Sequence[StepRow]) -> list[Any]:
    over = (group["given"] or {})["over"]
    items = known_values(j.run, line, group["ordinal"]).get(over)
    if not isinstance(items, list):
        raise PlanError(f"{group['key']} maps over {over!r}, which is not a list")
    return items


def _insert_members(j: Journal, group: StepRow, items: list[Any]) -> None:
    node = catalogue.map_of(j.run["type"], j.run["input"], group["ordinal"])
    rows = [step_row(j.id, row) for row in map_rows(node, group["key"], group["ordinal"], items)]
    # A retry brings the members that stand. They fit only the same items: with another list, their results
    # and undos would belong to the wrong ones.
    inherited = {row["key"]: row for row in runs.members(j.tx, j.id, group["key"])}
    kept = [row for row in rows if row["key"] in inherited]
    if len(kept) != len(inherited) or any(_differ(row, inherited[row["key"]]) for row in kept):
        raise PlanError(
            f"The list of {group['key']} changed, and what the retried run did for it still stands"
        )
    rows = [row for row in rows if row["key"] not in inherited]
    runs.insert_steps(j.tx, rows)
    j.event(EventType.STEP_EXPANDED, group, steps=[plan_facts(row) for row in rows])


_SAME = ("given", "ordinal", "name")


def _differ(row: StepRow, inherited: StepRow) -> bool:
    return picked(row, _SAME) != picked(inherited, _SAME)


def _branches(members: Sequence[StepRow]) -> dict[str, list[StepRow]]:
    found: dict[str, list[StepRow]] = {}
    for row in members:
        found.setdefault(row["branch"], []).append(row)
    return found


def _result(rows: Sequence[StepRow]) -> Any:
    last = rows[-1]
    if last["status"] in STEP_DONE:
        return last["output"]
    return {"error": next((row["error"] for row in rows if row["error"]), None)}
