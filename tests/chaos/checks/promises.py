"""What the client was promised: accepted runs exist once, every run ends, and as its input demands."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from app.domain.states import TERMINAL
from tests.chaos.checks.evidence import Evidence, Finding, Row
from tests.chaos.workload.machines import TYPE as REBOOTS
from tests.chaos.workload.types import JOINS

# The answers that a request of each kind may end with.
ANSWERS: dict[str, set[int]] = {
    "start": {202},
    "trigger": {200, 201},
    "signal": {202, 409},
    "again": {202},
    "other-body": {400, 409, 422},
    "cancel": {202, 409},
    "retry": {202, 409},
    "act": {202, 409},
    "hook": {202, 409, 410},
    "schedule": {200, 201},
    "batch": {202},
    "crowded": {202, 409},
    "batch-cancel": {202, 409},
    "batch-pause": {202, 409},
    "batch-resume": {202, 409},
    "batch-rollback": {200, 202, 409},
    "batch-retry": {202, 409},
}
STEPS = {"line": {1, 2, 3, 4, 5}, "locked": {1, 2, 3, 4, 5}, "group": {1, 5}}
OTHERS = {1, 2, 4, 5}  # The numbered steps of every other type.
BLIND = "OUTCOME_UNKNOWN"
HARMLESS = frozenset({"one-byte-connections"})  # Faults that no other client may notice.


def accepted(evidence: Evidence) -> Iterator[Finding]:
    """I1: what was answered with 202 is there, once; another body under the same key was refused."""
    named: dict[str, set[str]] = defaultdict(set)
    for one in evidence.requests:
        if one.kind in ("start", "again", "retry", "trigger", "batch") and one.accepted:
            if one.run_id not in evidence.runs:
                yield Finding(number="I1", run_id=one.run_id, what=f"accepted ({one.kind}) and not there")
            elif one.kind != "retry":
                named[one.key].add(str(one.run_id))
    for key, ids in named.items():
        if len(ids) > 1:
            yield Finding(number="I1", what=f"the key {key} was answered with the runs {sorted(ids)}")
    orders = Counter(_order(row) for row in evidence.ours() if row["retry_of"] is None)
    for order, times in orders.items():
        if order and times > 1:
            yield Finding(number="I1", what=f"order {order} is {times} runs")


def answered(evidence: Evidence) -> Iterator[Finding]:
    """No unhandled 500 was ever answered, and no request ended in anything but what is documented."""
    for one in evidence.requests:
        crashes = [reply for reply in one.replies if reply.status == 500]
        if crashes:
            detail = crashes[0].detail
            yield Finding(number="500", run_id=one.run_id, what=f"{one.kind} {one.path}: {detail}")
        wanted = ANSWERS[one.kind] | ({0, 503} if one.kind == "act" else set())  # The operator comes again.
        if one.replies and one.status not in wanted:
            last, tries = one.replies[-1], len(one.replies)
            what = f"{one.kind} {one.path} ended with {last.status} {last.detail} after {tries} tries"
            yield Finding(number="I1", run_id=one.run_id, what=what)


def served(evidence: Evidence) -> Iterator[Finding]:
    """What other clients do on connections of their own keeps no request from being answered."""
    windows = [(one.at, one.until or one.at) for one in evidence.injections if one.fault in HARMLESS]
    others = [(one.at, one.until or one.at) for one in evidence.injections if one.fault not in HARMLESS]
    others += [(one.at, one.until) for one in evidence.stalls]
    for one in evidence.requests:
        for reply in one.replies:
            asked = (reply.at - reply.took_ms, reply.at)
            if reply.status == 0 and _meets(asked, windows) and not _meets(asked, others):
                what = f"{one.kind} {one.path} was not answered for {reply.took_ms} ms: {reply.detail}"
                yield Finding(number="served", run_id=one.run_id, what=what)


def _meets(asked: tuple[int, int], windows: Iterable[tuple[int, int]]) -> bool:
    return any(since <= asked[1] and asked[0] <= until for since, until in windows)


def ended(evidence: Evidence) -> Iterator[Finding]:
    """Every run has ended, and only two kinds of them have waited for an operator.

    An order whose outcome could not be observed, and an undo that lost as many workers as a poisoned one may.
    """
    for row in evidence.runs.values():
        if row["status"] not in TERMINAL:
            waits = row["waiting_on"]
            yield Finding(number="lost", run_id=row["id"], what=f"{row['type']} is {row['status']}, {waits}")
        for one in evidence.events.get(row["id"], ()):
            if one["type"] == "run.needs_operator" and ("comp", one["step"]) not in _worn_out(evidence, row):
                yield Finding(number="I6", run_id=row["id"], what="an undo was exhausted")
            if one["type"] == "run.blocked" and not (
                _may_be_blind(evidence, row, one) or _drifted(evidence, one)
            ):
                yield Finding(
                    number="operator", run_id=row["id"], step=one["step"], what=f"{row['type']} was blocked"
                )


def as_ordered(evidence: Evidence) -> Iterator[Finding]:
    """A run that has to fail has failed, one that was cancelled may have been, every other completed."""
    for row in (*evidence.ours(), *evidence.reboots()):
        may = fates(row) | ({"failed"} if _worn_out(evidence, row) else set())
        if row["status"] in TERMINAL and row["status"] not in may:
            why = f"{row['error_code']} {row['error_message']} at {row['error_step']}"
            what = f"{row['type']} is {row['status']}, expected {sorted(fates(row))}: {why}"
            yield Finding(number="fate", run_id=row["id"], what=what)


def fates(row: Row) -> set[str]:
    """How a run may end, by its input."""
    fate = {"failed"} if must_fail(row) else {"completed"}
    if row["cancel_requested_at"] is not None:
        fate |= {"cancelled", "completed"} if fate == {"completed"} else {"cancelled"}
    return fate


def _worn_out(evidence: Evidence, row: Row) -> set[tuple[str, str]]:
    """The steps of a run that lost as many workers as a poisoned one may, by phase and key."""
    lost: dict[tuple[str, str], set[int]] = defaultdict(set)
    for one in evidence.events.get(row["id"], ()):
        if one["type"] == "step.lost":
            lost[one["phase"], one["step"]].add(one["payload"]["fence"])
    return {where for where, fences in lost.items() if len(fences) >= evidence.poison_limit}


def must_fail(row: Row) -> bool:
    """Whether the input makes the run fail."""
    kind, given = str(row["type"]).removeprefix("chaos."), row["input"]
    if kind == REBOOTS:
        return False
    return kind == "poison" or given["fails"] in STEPS.get(kind, OTHERS) or _fan_out_fails(kind, given)


def _fan_out_fails(kind: str, given: Row) -> bool:
    if kind == "map":
        members = [[item] for item in given["items"]]
    elif kind == "group":
        members = [[1], [2, 3], [4]]
    else:
        return False
    failed = sum(given["lame"] in branch for branch in members)
    if not members or not failed:
        return False
    verdict = JOINS[given["join"]].verdict(total=len(members), done=len(members) - failed, failed=failed)
    return verdict == "failed"


def _may_be_blind(evidence: Evidence, row: Row, one: Row) -> bool:
    error = (one["payload"] or {}).get("error", {})
    unknown = bool(error.get("code") == BLIND)
    if row["type"] == "chaos.once":  # Not observed, or the observer was lost, or nothing could be seen.
        lost = (error.get("details") or {}).get("lost")
        return unknown and bool(row["input"]["blind"] or lost or not _was_to_be_seen(evidence, one))
    return unknown and (row["type"], one["step"]) == ("server.lifecycle", "hard-reset")


def _was_to_be_seen(evidence: Evidence, one: Row) -> bool:
    """Whether the order had been sent when the attempt of this event observed."""
    effects = evidence.operations.get(f"{one['run_id']}/{one['phase']}/{one['step']}", ())
    sent = min((place for place, effect in effects if effect.effect == "did"), default=None)
    observations = [
        place for place, effect in effects if effect.effect == "observed" and effect.attempt == one["attempt"]
    ]
    return sent is not None and any(sent < place for place in observations)


def _drifted(evidence: Evidence, one: Row) -> bool:
    """Whether code that drifts had been deployed by then."""
    code = (one["payload"] or {}).get("error", {}).get("code")
    drifts = (strike.at for strike in evidence.injections if strike.fault == "code-drifts")
    return bool(code == "NONDETERMINISM" and min(drifts, default=one["at"] + 1) <= one["at"])


def _order(row: Row) -> int:
    return int((row["input"] or {}).get("order", 0))
