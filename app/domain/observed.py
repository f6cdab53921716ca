"""What a look at an object changes in the record of the resource that it stands for; pure.

A look is one version of one object. Looks come from watches, lists and steps, in any order and more than
once: an older one never replaces a newer one, and one that says nothing new changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.ownership import RESOURCE

Row = Mapping[str, Any]
Changes = dict[str, Any]

# States in which no run is at work on a resource: what is seen then is what it is.
AT_REST = frozenset({"ready", "validated", "running", "stopped", "paused"})
WORDS = ("appeared", "changed", "replaced", "gone")
UNLABELLED = f"has lost its label in the management cluster: give it back, {RESOURCE}"
MOST_NAMED = 200  # Resources that one tally names; of more it only tells how many.


@dataclass(frozen=True, kw_only=True)
class Observation:
    """An object as it was seen once."""

    id: str  # The resource whose label it bears.
    name: str
    uid: str
    version: str
    facts: Mapping[str, object]
    state: str | None = None  # The state of rest that it shows, if any.
    labelled: bool = True  # False: the very object that was seen before, whose label somebody took away.


@dataclass(frozen=True)
class Verdict:
    """What became of a resource's object, in one of `WORDS`, and what its row says from now on."""

    word: str
    changes: Changes


def judge(row: Row, look: Observation) -> Verdict | None:
    """What an object that was seen means for its resource; None when nothing is new, or it is not its own."""
    if row["name"] != look.name or older(look.version, row["resource_version"]):
        return None
    state = _state(row, look)
    seen = {"uid": look.uid, "resource_version": look.version, "observed": dict(look.facts), **state}
    if row["uid"] is None:
        return Verdict("appeared", seen)
    if row["uid"] != look.uid:
        return Verdict("replaced", {**seen, **_broken(row, "was deleted, and another one made in its place")})
    label = _label(row, look)
    told = state or label or row["observed"] != look.facts
    return Verdict("changed", {**seen, **label}) if told else None


def judge_gone(row: Row, uid: str | None, version: str) -> Verdict | None:
    """What the end of an object means for its resource; without a uid nothing of that name was listed."""
    if row["uid"] is None or uid not in (None, row["uid"]) or older(version, row["resource_version"]):
        return None
    gone = {"uid": None, "resource_version": None, "observed": None}
    return Verdict("gone", {**gone, **_broken(row, "was deleted")})


def older(version: str | None, than: str | None) -> bool:
    """Whether a version came before another; versions that are no numbers cannot be told apart."""
    comparable = version is not None and than is not None and version.isdecimal() and than.isdecimal()
    return comparable and int(str(version)) < int(str(than))


def tallied(tally: Row | None, changed: Iterable[tuple[str, str]], now: int) -> Changes:
    """A tally with more changes in it: ``{since, until, counts, objects}``; ids to their last word."""
    sum_: Changes = dict(tally or {"since": now, "counts": {}, "objects": {}})
    counts, objects = dict(sum_["counts"]), dict(sum_["objects"])
    for id_, word in changed:
        counts[word] = counts.get(word, 0) + 1
        if id_ in objects or len(objects) < MOST_NAMED:
            objects[id_] = word
    return {**sum_, "until": now, "counts": counts, "objects": objects}


def _state(row: Row, look: Observation) -> Changes:
    """A machine at rest is what its object says, whoever started or stopped it."""
    if row["state"] not in AT_REST or look.state in (None, row["state"]):
        return {}
    return {"state": look.state, "failure_reasons": []}


def _label(row: Row, look: Observation) -> Changes:
    """Without its label an object is still the resource's; people have to know, for no watch tells of it."""
    others = [one for one in row["failure_reasons"] or () if UNLABELLED not in one]
    reasons = others if look.labelled else [*others, f"{row['name']} {UNLABELLED}={row['id']}"]
    return {} if reasons == (row["failure_reasons"] or []) else {"failure_reasons": reasons}


def _broken(row: Row, what: str) -> Changes:
    """Whatever was at rest is not what it was; a run that is at work finds out by itself."""
    if row["state"] not in AT_REST:
        return {}
    reason = f"{row['name']} {what} in the management cluster, by somebody else"
    return {"state": "error", "failure_reasons": [reason]}
