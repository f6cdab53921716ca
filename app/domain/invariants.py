"""What must hold for every run at any time, as functions over its rows: `broken` gives what does not.

The numbers are those of ``docs/invariants.rst``. A check sees one run with all that
belongs to it and nothing else, so that it can be tried on rows that no engine would write.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from app.domain import codechecks
from app.domain.case import Case, Row, is_open
from app.domain.events import EventType, may_be_told
from app.domain.states import (
    NEEDS_OPERATOR,
    STEP_DONE,
    STEP_ENDED,
    TERMINAL,
    RunStatus,
    StepOutcome,
    StepStatus,
)

Broken = tuple[str, str]  # The invariant's number, and what is wrong.
FAN_OUT = ("group", "map", "graph")
ENDINGS = frozenset({EventType.RUN_COMPLETED, EventType.RUN_FAILED, EventType.RUN_CANCELLED})
AFTER_THE_END = frozenset({EventType.OPERATOR_ACTION, EventType.STEP_FENCED})
OTHERS = ("stop", "parent")  # Purposes of timers that another run arms, whatever this one does.
LATE_MS = 60_000  # What is overdue by this much has been seen by no reconciler.


def broken(case: Case) -> list[Broken]:
    """Every invariant that does not hold for a run, with what is wrong, in the order of the numbers."""
    return [(number, what) for number, check in CHECKS for what in check(case)]


def _accepted(case: Case) -> Iterator[str]:
    if not case.events or case.events[0]["type"] != EventType.RUN_CREATED:
        yield "its log does not begin with run.created"


def _numbered(case: Case) -> Iterator[str]:
    numbers = [one["seq"] for one in case.events]
    if numbers != list(range(1, len(numbers) + 1)) or case.run["event_seq"] != len(numbers):
        yield f"its {len(numbers)} events are not numbered 1 to {case.run['event_seq']} without gaps"


def _folded(case: Case) -> Iterator[str]:
    try:
        state = case.told
    except (KeyError, TypeError) as error:
        yield f"its log cannot be folded: {error!r}"
        return
    if state["status"] != case.status:
        yield f"the log says {state['status']}, the table says {case.status}"
    told = {(step["phase"], step["key"]): step for step in state["steps"]}
    for row in case.steps:
        known = told.pop((row["phase"], row["key"]), None)
        if known is None:
            yield f"{row['phase']} step {row['key']} is not in the log"
            continue
        for name in ("status", "attempt", "outcome", "fence"):
            if known[name] != row[name]:
                told_ = f"{name} is {known[name]} in the log, {row[name]} in the table"
                yield f"{row['phase']} step {row['key']}: {told_}"
    for phase, key in told:
        yield f"{phase} step {key} is in the log alone"


def _counted(case: Case) -> Iterator[str]:
    ends = [one["seq"] for one in case.events if one["type"] in ENDINGS]
    if len(ends) != (1 if case.status in TERMINAL else 0):
        yield f"it is {case.status} and has {len(ends)} closing events"
    done = Counter(
        (one["phase"], one["step"]) for one in case.events if one["type"] == EventType.STEP_COMPLETED
    )
    for (phase, key), times in done.items():
        if times > 1:
            yield f"{phase} step {key} completed {times} times"
    if ends:
        for one in case.events[ends[0] :]:
            if one["type"] not in AFTER_THE_END:
                yield f"{one['type']} came after its end"


def _fenced(case: Case) -> Iterator[str]:
    highest: dict[tuple[str, str], int] = {}
    for one in case.events:
        if one["type"] in (EventType.STEP_STARTED, EventType.STEP_POLLING) and "fence" in (
            one["payload"] or {}
        ):
            where, fence = (one["phase"], one["step"]), one["payload"]["fence"]
            if fence <= highest.get(where, 0):
                yield f"{one['phase']} step {one['step']} was claimed with fence {fence} a second time"
            highest[where] = fence
    for row in case.steps:
        if row["kind"] not in FAN_OUT and row["fence"] != highest.get((row["phase"], row["key"]), 0):
            yield f"{row['phase']} step {row['key']} has fence {row['fence']} and was never claimed with it"


def _in_order(case: Case) -> Iterator[str]:
    for line in case.lines().values():
        open_: str | None = None
        for row in line:
            if open_ is not None and (row["fence"] or row["attempt"]) and row["reused_from"] is None:
                yield f"{row['phase']} step {row['key']} began before {open_} was done"
            if row["status"] not in STEP_DONE and open_ is None:
                open_ = str(row["key"])


def _undone(case: Case) -> Iterator[str]:
    undos = [row["undoes"] for row in case.undos()]
    unwound = {RunStatus.COMPENSATING, RunStatus.COMPENSATION_FAILED, RunStatus.FAILED, RunStatus.CANCELLED}
    kept = case.run["cancel_mode"] == "abandon" or case.run["on_failure"] == "keep"
    due = case.status in unwound and not kept and not _moved(case)
    happened = [
        row["key"]
        for row in reversed(case.forward())
        if row["undoable"] and row["outcome"] in (StepOutcome.DONE, StepOutcome.UNKNOWN)
    ]
    if undos != (happened if due else []):
        yield f"it has the undo steps {undos}; what may have happened is {happened}, and it is {case.status}"
    if case.status in TERMINAL:
        for row in case.undos():
            if row["status"] not in STEP_DONE:
                yield f"it is {case.status} and the undo of {row['undoes']} is {row['status']}"


def _moved(case: Case) -> bool:
    """Whether its effects moved to the run that retried it: that began while this one was held."""
    for one in case.events:
        if one["type"] in ENDINGS:
            return False
        if one["type"] == EventType.OPERATOR_ACTION and (one["payload"] or {}).get("action") == "retry":
            return True
    return False


def _alive(case: Case) -> Iterator[str]:
    if case.status in TERMINAL:
        armed = any(is_open(one) and one["purpose"] not in OTHERS for one in case.timers)
        if armed or case.run["expect_since"] is not None:
            yield "it has ended and still waits for something"
        if any(row["status"] == StepStatus.RUNNING for row in case.steps):
            yield "it has ended and a step still runs"
        return
    if case.status == RunStatus.LOCK_WAITING and not case.tickets:
        yield "it waits for a lock and stands in no line"
    if case.status == RunStatus.FAILED_HELD and not case.armed("hold"):
        yield "it is held and nothing ends the hold"
    if case.status == RunStatus.PAUSED or case.status in NEEDS_OPERATOR:
        return
    yield from _steps_alive(case)
    yield from codechecks.waits_alive(case)
    yield from _lines_alive(case)


def _steps_alive(case: Case) -> Iterator[str]:
    for row in case.steps:
        if row["status"] == StepStatus.RUNNING:
            if row["lease_until"] is None:
                yield f"step {row['key']} runs without a lease"
            elif row["lease_until"] < case.now - LATE_MS:
                yield f"the lease of step {row['key']} ran out more than a minute ago"
        if row["status"] == StepStatus.RETRY_WAIT and not case.armed("retry", row):
            yield f"step {row['key']} waits for a retry that no timer starts"
        suspended = row["status"] == StepStatus.WAITING and row["kind"] not in (*FAN_OUT, *codechecks.KINDS)
        if suspended and not (case.armed("poll", row) or case.armed("deadline", row)):
            yield f"step {row['key']} waits and no timer ends that"


def _lines_alive(case: Case) -> Iterator[str]:
    if case.status == RunStatus.LOCK_WAITING:
        return
    phase = "comp" if case.status == RunStatus.COMPENSATING else "forward"
    if case.status == RunStatus.CANCELLING:
        if not any(row["status"] == StepStatus.RUNNING or _child_runs(row) for row in case.steps):
            yield "it is cancelling and no step runs"
        return
    for (line_phase, branch), line in case.lines().items():
        following = next((row for row in line if row["status"] not in STEP_DONE), None)
        if line_phase != phase or following is None:
            continue
        if not branch:
            yield from _stopped(case, following)
        if following["status"] != StepStatus.PENDING or following["kind"] == "graph":
            continue
        expected = following["expect_since"] if branch else case.run["expect_since"]
        if expected is None and (not branch or _due_in_group(case, branch, line)):
            yield f"step {following['key']} is next and no message is expected"
    main = case.lines().get((phase, ""), [])
    straggles = any(row["status"] == StepStatus.RUNNING for row in case.steps)
    if all(row["status"] in STEP_DONE for row in main) and not straggles:
        yield "nothing is left to do and it has not ended"


def _stopped(case: Case, following: Row) -> Iterator[str]:
    """A step of the main line that will never be done although its run goes on."""
    if following["status"] in STEP_ENDED:
        yield f"step {following['key']} is {following['status']} and the run goes on"
    waits = following["kind"] in FAN_OUT and following["status"] == StepStatus.WAITING
    if waits and all(_over(branch) for branch in _branches(case, following)):
        yield f"all members of {following['key']} have ended and it waits for them"


def _child_runs(row: Row) -> bool:
    """Whether a step is the place of a child run in a graph, and that has not ended."""
    return (
        row["kind"] == "child"
        and row["status"] == StepStatus.WAITING
        and not row["branch"].startswith("main/")
    )


def _due_in_group(case: Case, branch: str, line: Sequence[Row]) -> bool:
    """Whether this branch should be under way: it began, or its open group has room."""
    group = next((row for row in case.forward() if row["key"] == branch.rsplit("/", 1)[0]), None)
    if group is None or group["status"] != StepStatus.WAITING:
        return False
    limit = (group["given"] or {}).get("limit")
    if group["kind"] == "graph":
        return _due_in_graph(case, group, line[0])
    if line[0]["status"] != StepStatus.PENDING or limit is None:
        return True
    busy = [b for b in _branches(case, group) if not _over(b) and _under_way(b)]
    return len(busy) < int(limit)


def _due_in_graph(case: Case, graph: Row, member: Row) -> bool:
    """Whether a member should have begun: all it needs has ended, there is room, and nobody is to look."""
    given = graph["given"] or {}
    busy = sum(1 for row in case.steps if _child_runs(row))
    room = given.get("limit") is None or busy < int(given["limit"])
    return member["pending"] == 0 and room and not given.get("stop") and not case.armed("graph")


def _under_way(branch: Sequence[Row]) -> bool:
    return branch[0]["status"] != StepStatus.PENDING or branch[0]["expect_since"] is not None


def _branches(case: Case, group: Row) -> list[list[Row]]:
    prefix = f"{group['key']}/"
    return [line for (phase, b), line in case.lines().items() if phase == "forward" and b.startswith(prefix)]


def _over(branch: Sequence[Row]) -> bool:
    return branch[-1]["status"] in STEP_DONE or any(row["status"] in STEP_ENDED - STEP_DONE for row in branch)


def _stands(branch: Sequence[Row]) -> bool:
    """Whether a branch ended with an outcome that only an operator can tell."""
    return any(row["status"] == StepStatus.FAILED and row["outcome"] == StepOutcome.UNKNOWN for row in branch)


def _locked(case: Case) -> Iterator[str]:
    held = {row["resource"]: row["fence"] for row in case.locks}
    if case.status in TERMINAL and (held or case.tickets):
        yield f"it is {case.status} and holds or waits for {sorted(held) or 'a lock'}"
    try:
        told = case.told["locks"]
    except (KeyError, TypeError):
        told = held  # A log that cannot be folded is a finding already.
    if told != held:
        yield f"the log says that it holds {told}, the table says {held}"
    if held and any(ticket["resource"] in held for ticket in case.tickets):
        yield "it waits for a lock that it holds"
    if case.tickets and case.status not in TERMINAL | {RunStatus.LOCK_WAITING, RunStatus.PAUSED}:
        yield f"it stands in line for a lock and is {case.status}"


def _called_once(case: Case) -> Iterator[str]:
    calls = Counter(one["step"] for one in case.events if one["type"] == EventType.HOOK_EXECUTED)
    # A hook of a code workflow belongs to its run: the event names no step.
    used = Counter(
        row["step"] if row["name"] is None else None for row in case.hooks if row["status"] == "executed"
    )
    for key in set(calls) | set(used):
        if calls[key] != used[key]:
            yield f"the hooks of step {key} were called {calls[key]} times, and {used[key]} are used"


def _joined(case: Case) -> Iterator[str]:
    if case.status in TERMINAL or case.status == RunStatus.CANCELLING:  # Nobody counts what stops.
        return
    for group in case.forward():
        if group["kind"] in FAN_OUT and group["status"] == StepStatus.WAITING:
            left = sum(1 for branch in _branches(case, group) if not _over(branch))
            unknown = sum(1 for branch in _branches(case, group) if _stands(branch))
            if not left <= group["pending"] <= left + (unknown if case.status == RunStatus.BLOCKED else 0):
                yield f"{group['key']} counts {group['pending']} open members; there are {left}"


def _fired(case: Case) -> Iterator[str]:
    for one in case.timers:
        name = f"the {one['purpose']} timer of {one['step'] or 'the run'}"
        over = one["cancelled_at"] is not None
        if one["fired_at"] is not None and (over or one["fired_at"] < one["due_at"]):
            yield f"{name} fired too early or when it was over"
        if is_open(one) and one["due_at"] < case.now - LATE_MS:
            yield f"{name} is overdue by more than a minute"


def _delivered(case: Case) -> Iterator[str]:
    types = {one["seq"]: one["type"] for one in case.events}
    sent = Counter((row["webhook_id"], row["seq"]) for row in case.deliveries)
    for row in case.deliveries:
        if row["seq"] is not None and types.get(row["seq"]) != row["event"]:
            yield f"a delivery tells of {row['event']} as event {row['seq']}, which it is not"
    for one in case.endpoints:
        for event in case.events:
            if event["type"] == one["event"] and may_be_told(event):
                times = sent[one["webhook_id"], event["seq"]]
                if times != 1:
                    yield f"event {event['seq']} has {times} deliveries to {one['webhook_id']}"


def _within_budget(case: Case) -> Iterator[str]:
    for row in case.steps:
        if row["lost"] > case.poison_limit:
            yield f"step {row['key']} lost its worker {row['lost']} times"
        budget = case.budgets.get(row["name"], 0) if row["phase"] == "forward" else 0
        if codechecks.is_member(row):
            budget = int((row["given"] or {}).get("retries", 0)) + 1
        if budget and row["kind"] == "task" and row["tries"] > budget:
            yield f"step {row['key']} was tried {row['tries']} times; its policy allows {budget}"


CHECKS: tuple[tuple[str, Callable[[Case], Iterator[str]]], ...] = (
    ("I1", _accepted),
    ("I2", _numbered),
    ("I2", _folded),
    ("I3", _counted),
    ("I4", _fenced),
    ("I5", _in_order),
    ("I6", _undone),
    ("I7", _alive),
    ("I8", _locked),
    ("I9", _called_once),
    ("I9", codechecks.consumed_once),
    ("I10", _joined),
    ("I10", codechecks.counted),
    ("I11", _fired),
    ("I12", _delivered),
    ("I13", _within_budget),
    ("I13", codechecks.within_limit),
)
