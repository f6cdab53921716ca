"""How long it took until a run that was hit moved again, from the events of the log alone.

A run is hit when an attempt is lost, or when a message is: then it stands still though nothing keeps it.
Time counts from the claim of the lost attempt or from the event that expected the message; and, since
no run recovers while the database or the broker is away, from the end of such a fault at the earliest. A
body that no time limit reaches is lost when the last resort has ended it, and not before.

The times in the report are those of a clock. What is judged is what lies beyond the lease, as a machine
of one's own would count it (`tests.chaos.shares`).
"""

import itertools
from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from app.worker.execute import DEAF_S
from tests.chaos.checks.evidence import Evidence, Finding, Row
from tests.chaos.workload.client import IN_FLIGHT

# After these events a worker is expected to go on at once.
EXPECTING = frozenset(
    {"step.ready", "step.completed", "step.compensated", "lock.granted", "run.compensating", "run.created"}
)
STANDS_MS = 1_000  # A message that takes longer than this has been lost or delayed.
BACK_MS = 10_000
DEAF_MS = 1_000 + round(DEAF_S * 1000)  # The step's own limit, and the last resort's patience.
P99_OVER_MS, MAX_OVER_MS = 3_000, 10_000  # What recovery may take beyond the lease.


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """One run that was hit and moved again."""

    run_id: str
    step: str | None
    why: str  # "attempt" or "message"
    took_ms: int
    at: int
    until: int


@dataclass(frozen=True, kw_only=True)
class Times:
    """What the campaign's report shows of them."""

    hits: int
    p50_ms: int
    p99_ms: int
    max_ms: int


NONE = Times(hits=0, p50_ms=0, p99_ms=0, max_ms=0)


def recoveries(evidence: Evidence) -> list[Recovery]:
    """Every recovery in the log."""
    faults = sorted((one.at, one.until or one.at) for one in evidence.injections)
    outages = evidence.outages
    deaf = {one.operation for one in evidence.effects if one.value == "deaf"}
    found = []
    for run_id, events in evidence.events.items():
        if evidence.runs[run_id]["created_at"] >= evidence.calm_until:
            found += [
                *_lost_attempts(run_id, events, outages, deaf),
                *_lost_messages(run_id, events, outages, faults),
            ]
    return found


def times(found: Sequence[Recovery]) -> Times:
    """Their distribution."""
    took = sorted(one.took_ms for one in found) or [0]
    return Times(hits=len(found), p50_ms=_part(took, 0.5), p99_ms=_part(took, 0.99), max_ms=took[-1])


def service(evidence: Evidence) -> list[tuple[int, int]]:
    """For every fault of the database: from when to when a request for a run waited for its 202 after it.

    A request whose own first attempt still counts as in flight is asked to wait; that is no outage.
    """
    answered = sorted(
        (reply.at, one.at)
        for one in evidence.requests
        if one.kind == "start" and not any(IN_FLIGHT in reply.detail for reply in one.replies)
        for reply in one.replies
        if reply.status == 202
    )
    found = []
    for one in evidence.injections:
        if one.scope in ("database", "site") and one.until is not None:
            place = bisect_left(answered, (one.until, 0))
            if place < len(answered):
                at, asked = answered[place]
                found.append((_since(max(one.until, asked), at, evidence.outages), at))
    return found


def away(evidence: Evidence) -> Iterator[Finding]:
    """The target: the service is normal again within 10 s after the database is."""
    for since, at in service(evidence):
        if evidence.given(since, at) > BACK_MS:
            what = f"the first run was accepted {at - since} ms after the database was back"
            yield Finding(number="service", what=what)


def slow(evidence: Evidence, found: Sequence[Recovery]) -> Iterator[Finding]:
    """The targets: 99 of 100 within the lease and 3 s, all within the lease and 10 s."""
    shown = times(found)
    over = sorted(_beyond(evidence, one) for one in found) or [0]
    if _part(over, 0.99) > P99_OVER_MS:
        yield Finding(number="recovery", what=f"p99 is {shown.p99_ms} ms of {shown.hits} recoveries")
    for one in found:
        if _beyond(evidence, one) > MAX_OVER_MS:
            what = f"{one.why} recovered after {one.took_ms} ms, at {one.at}"
            yield Finding(number="recovery", run_id=one.run_id, step=one.step, what=what)


def _beyond(evidence: Evidence, one: Recovery) -> int:
    """What a recovery took beyond the lease, on a machine of one's own."""
    over = max(0, one.took_ms - evidence.lease_ms)
    return evidence.given(one.until - over, one.until)


def ended_after(evidence: Evidence, healed: int) -> int:
    """How long after this moment the last of the runs that were accepted before it has ended."""
    ends = [
        row["completed_at"]
        for row in evidence.runs.values()
        if row["completed_at"] and row["created_at"] < healed
    ]
    return max(0, max(ends, default=0) - healed)


def _part(ordered: Sequence[int], part: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _lost_attempts(
    run_id: str, events: Sequence[Row], outages: Sequence[tuple[int, int]], deaf: Container[str]
) -> Iterator[Recovery]:
    """From the claim of an attempt that was lost to the next event after the loss was known."""
    claims: dict[tuple[str, str], int] = {}
    for place, one in enumerate(events):
        where = (one["phase"], one["step"])
        if one["type"] in ("step.started", "step.polling"):
            lives_ms = DEAF_MS if f"{run_id}/{one['phase']}/{one['step']}" in deaf else 0
            claims[where] = one["at"] + lives_ms
        if one["type"] == "step.lost" and where in claims:
            following = next((e for e in events[place + 1 :] if e["type"] != "step.ready"), one)
            took = max(0, following["at"] - _since(claims[where], following["at"], outages))
            yield Recovery(
                run_id=run_id,
                step=one["step"],
                why="attempt",
                took_ms=took,
                at=one["at"],
                until=following["at"],
            )


def _lost_messages(
    run_id: str, events: Sequence[Row], outages: Sequence[tuple[int, int]], faults: Sequence[tuple[int, int]]
) -> Iterator[Recovery]:
    """From an event that expected a message to the next one, where the run stood still for long."""
    for one, following in itertools.pairwise(events):
        waits = "lock_waiting" in str((one["payload"] or {}).get("runStatus"))
        if one["type"] not in EXPECTING or waits or following["at"] - one["at"] < STANDS_MS:
            continue
        if following["type"] in ("hook.executed", "run.cancel_requested", "operator.action"):
            continue
        took = following["at"] - _since(one["at"], following["at"], outages)
        if took >= STANDS_MS and _struck(one["at"], following["at"], faults):
            yield Recovery(
                run_id=run_id,
                step=following["step"],
                why="message",
                took_ms=took,
                at=one["at"],
                until=following["at"],
            )


def _struck(began: int, ended: int, faults: Sequence[tuple[int, int]]) -> bool:
    """Whether any fault was under way in between."""
    return any(at < ended and until > began for at, until in faults)


def _since(began: int, ended: int, outages: Sequence[tuple[int, int]]) -> int:
    """The moment from which a worker could have gone on."""
    return max([began, *(min(until, ended) for at, until in outages if at < ended and until > began)])
