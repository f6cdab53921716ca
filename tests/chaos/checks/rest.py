"""What must hold at rest, and what the way there may cost: locks, totals, messages, publications."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

from app.domain.states import TERMINAL
from tests.chaos.checks.evidence import Evidence, Finding
from tests.chaos.workload.mix import FIRST_DEMAND

MOST_PUBLICATIONS = 2.0  # Publications per run under chaos, compared with those of a calm run.


def quiet(evidence: Evidence) -> Iterator[Finding]:
    """I8: when everything has ended, nothing is held, no run waits and no queue holds a message."""
    if any(row["status"] not in TERMINAL for row in evidence.runs.values()):
        return
    for one in evidence.locks:
        yield Finding(number="I8", run_id=one["run_id"], what=f"{one['resource']} is still held")
    for one in evidence.tickets:
        yield Finding(number="I8", run_id=one["run_id"], what=f"still waits for {one['resource']}")
    for key, length in evidence.redis.items():
        if length:
            yield Finding(number="rest", what=f"{key} still holds {length} messages")


def counted(evidence: Evidence) -> Iterator[Finding]:
    """I16: the totals that the metrics show are those of the runs that ended, each counted once."""
    stored = {(one["type"], one["status"]): one["runs"] for one in evidence.totals}
    ended = (row for row in evidence.runs.values() if row["status"] in TERMINAL)
    are = Counter((row["type"], row["status"]) for row in ended)
    for which in sorted({*stored, *are}):
        if stored.get(which, 0) != are[which]:
            what = f"{' '.join(which)}: {stored.get(which, 0)} in the totals, {are[which]} runs"
            yield Finding(number="I16", what=what)


def exclusive(evidence: Evidence) -> Iterator[Finding]:
    """I4, I8: on one resource every grant has a fence of its own, and comes after the release before it."""
    grants: dict[str, list[tuple[int, int, int | None, str]]] = defaultdict(list)
    for run_id, events in evidence.events.items():
        released = {one["payload"]["resource"]: one["at"] for one in events if one["type"] == "lock.released"}
        for one in events:
            if one["type"] == "lock.granted":
                resource, fence = one["payload"]["resource"], one["payload"]["fence"]
                grants[resource].append((fence, one["at"], released.get(resource), run_id))
    for resource, stored in grants.items():
        stored.sort()
        for (fence, _, until, first), (following, since, _, second) in itertools.pairwise(stored):
            if following <= fence or until is None or since < until:
                what = f"{resource} was granted to {second} (fence {following}) before {first} released it"
                yield Finding(number="I8", run_id=second, what=what)


def publications(evidence: Evidence) -> dict[str, float]:
    """Publications of a run, on average, by type: in the calm before, and under chaos."""
    published: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in evidence.ours():
        if not 0 < (row["input"] or {}).get("order", 0) < FIRST_DEMAND or row["retry_of"] is not None:
            continue  # What faults demanded has no like in the calm.
        steps = evidence.steps.get(row["id"], ())
        calm = row["created_at"] < evidence.calm_until
        published[row["type"], calm].append(row["dispatch_gen"] + sum(one["gen"] for one in steps))
    both = [type_ for type_, calm in published if calm and (type_, False) in published]
    runs = sum(len(published[type_, False]) for type_ in both)
    if not runs:
        return {"calm": 0.0, "chaos": 0.0, "ratio": 0.0}
    mean = {which: sum(numbers) / len(numbers) for which, numbers in published.items()}
    calm_ = sum(mean[type_, True] * len(published[type_, False]) for type_ in both) / runs
    chaos = sum(sum(published[type_, False]) for type_ in both) / runs
    return {"calm": calm_, "chaos": chaos, "ratio": chaos / calm_}


def published(evidence: Evidence) -> Iterator[Finding]:
    """Under chaos no more than twice as much is published as without."""
    found = publications(evidence)
    if found["ratio"] > MOST_PUBLICATIONS:
        what = f"{found['chaos']:.2f} publications a run, {found['calm']:.2f} without faults"
        yield Finding(number="publications", what=what)
