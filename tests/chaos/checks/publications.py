"""What messages may do, and how soon; what leases and clocks may do where nothing was done to them."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checks.evidence import Evidence, Finding, Row
from tests.chaos.checks.recovery import EXPECTING

LOSES = frozenset({"process", "broker", "site"})  # Scopes of faults that a message may be lost with.
HOLDS_UP = frozenset({"process", "database", "site"})  # Scopes of faults that a lease may run out with.
LOST_MS = 1_900  # An expected message counts as lost a little later.
UNHEARD_MS = 1_000  # How long before a cut the answer to a claim may have been under way.
BACK_MS = 60_000  # An event may be decided a little before one that stands above it in the log.


@dataclass(frozen=True, kw_only=True)
class Link:
    """A message that got a step, as `tests.chaos.bugs.witness` saw it."""

    run: str
    step: str
    asked: int  # The generation of the message, and
    current: int  # the one in force.


def links(path: Path) -> list[Link]:
    """What the witness wrote down."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Link(**json.loads(line)) for line in lines]


def newest(seen: list[Link]) -> Iterator[Finding]:
    """I3: a message of an older generation gets nothing."""
    for one in seen:
        if one.asked != one.current:
            what = f"a message of generation {one.asked} got it; {one.current} was in force"
            yield Finding(number="generation", run_id=one.run, step=one.step, what=what)


def prompt(evidence: Evidence) -> Iterator[Finding]:
    """Where nothing loses messages, nothing has to be published a second time for a run that waits."""
    if evidence.stalls or any(one.scope in LOSES for one in evidence.injections):
        return
    for run_id, events in evidence.events.items():
        for one, after in itertools.pairwise(events):
            waited = after["at"] - one["at"]
            republished = evidence.runs[run_id]["dispatch_gen"] > 1
            if not is_about_messages(one, after) or was_away(evidence, one["at"], after["at"]):
                continue
            if waited > LOST_MS and republished:
                what = f"no message came for {waited} ms, though no fault had lost a message"
                yield Finding(number="publication", run_id=run_id, step=after["step"], what=what)


def is_about_messages(one: Row, after: Row) -> bool:
    """Whether a message was expected in between, and not a lock that another run holds."""
    return one["type"] in EXPECTING and after["type"] != "lock.granted"


def was_away(evidence: Evidence, began: int, ended: int) -> bool:
    """Whether the database was away meanwhile: who was asked to come then is asked again after it."""
    outages = (one for one in evidence.injections if one.scope == "database" and one.until is not None)
    return any(one.at < ended and int(one.until or 0) > began for one in outages)


def kept(evidence: Evidence) -> Iterator[Finding]:
    """Where nothing happens to a worker, it keeps its lease, however long its step takes.

    A claim made just before connections were cut may be one that its worker never learned of.
    """
    if evidence.stalls or any(one.scope in HOLDS_UP for one in evidence.injections):
        return
    for run_id, events in evidence.events.items():
        claims: dict[tuple[str, str], int] = {}
        for one in events:
            where = (one["phase"], one["step"])
            if one["type"] in ("step.started", "step.polling"):
                claims[where] = one["at"]
            if one["type"] == "step.lost" and not _unheard(evidence, claims.get(where, 0)):
                what = "its worker was taken for lost, and nothing had happened to it"
                yield Finding(number="lease", run_id=run_id, step=one["step"], what=what)


def _unheard(evidence: Evidence, claimed: int) -> bool:
    """Whether a fault that lasted began right after this claim."""
    lasting = (one.at for one in evidence.injections if one.until is not None)
    return any(0 <= at - claimed <= UNHEARD_MS for at in lasting)


def timely(evidence: Evidence) -> Iterator[Finding]:
    """One clock: in a run's log time does not go backwards."""
    for run_id, events in evidence.events.items():
        for before, after in itertools.pairwise(events):
            if after["at"] < before["at"] - BACK_MS:
                what = (
                    f"event {after['seq']} happened {before['at'] - after['at']} ms before the one before it"
                )
                yield Finding(number="clock", run_id=run_id, step=after["step"], what=what)
