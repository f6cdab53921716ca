"""What one look changes: nothing old, nothing twice, nobody else's."""

from typing import Any

import pytest

from app.domain.observed import MOST_NAMED, Observation, judge, judge_gone, older, tallied

STOPPED, RUNNING = {"status": "Stopped"}, {"status": "Running"}


def row(**changes: Any) -> dict[str, Any]:
    """A machine that was seen at version 10."""
    known = {"name": "m", "uid": "a", "resource_version": "10", "observed": STOPPED, "state": "stopped"}
    return {**known, "failure_reasons": [], **changes}


def look(**changes: Any) -> Observation:
    """The same machine, running, at version 11."""
    seen: dict[str, Any] = {"id": "vm", "name": "m", "uid": "a", "version": "11", "facts": RUNNING}
    return Observation(**{**seen, "state": "running", **changes})


def word(row: dict[str, Any], look: Observation) -> str | None:
    """What became of the object."""
    verdict = judge(row, look)
    return verdict.word if verdict else None


@pytest.mark.parametrize(
    ("known", "seen", "said"),
    [
        (row(), look(), "changed"),
        (row(uid=None, resource_version=None, observed=None), look(), "appeared"),
        (row(), look(uid="b"), "replaced"),
        (row(), look(facts=STOPPED, state="stopped"), None),
        (row(), look(version="9"), None),
        (row(), look(uid="b", version="9"), None),
        (row(), look(name="copy"), None),
        (row(state="stopping"), look(facts=STOPPED), None),
        (row(state="stopping"), look(facts=STOPPED, state=None), None),
        (row(), look(facts=STOPPED, state="running"), "changed"),
    ],
    ids=["new", "first", "another", "same", "old", "old-other", "copy", "under-way", "between", "state"],
)
def test_a_look_is_judged(known: dict[str, Any], seen: Observation, said: str | None) -> None:
    assert word(known, seen) == said


def test_only_what_is_at_rest_follows_its_object() -> None:
    changed = [judge(row(state=state), look()) for state in ("stopped", "stopping", "error")]
    assert [one.changes.get("state") for one in changed if one] == ["running", None, None]


@pytest.mark.parametrize("verdict", [judge(row(), look(uid="b")), judge_gone(row(), "a", "12")])
def test_what_others_took_away_is_an_error_that_says_so(verdict: Any) -> None:
    assert verdict.changes["state"] == "error"
    assert "by somebody else" in verdict.changes["failure_reasons"][0]


@pytest.mark.parametrize(
    ("known", "uid", "version", "gone"),
    [
        (row(), "a", "12", True),
        (row(), None, "12", True),  # It was not in a whole list.
        (row(), None, "9", False),  # The list is older than what is known.
        (row(), "b", "12", False),  # An earlier object of that name.
        (row(uid=None), "a", "12", False),
    ],
)
def test_an_end_is_judged(known: dict[str, Any], uid: str | None, version: str, gone: bool) -> None:
    assert (judge_gone(known, uid, version) is not None) is gone


def test_versions_that_are_no_numbers_cannot_be_told_apart() -> None:
    assert [older("9", "10"), older("10", "10"), older("a9", "b1"), older(None, "1")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_tally_counts_everything_and_names_so_many() -> None:
    tally = None
    for number in range(MOST_NAMED + 50):
        tally = tallied(tally, [(f"vm_{number}", "changed"), ("vm_0", "gone")], now=number)
    assert tally is not None
    assert tally["counts"] == {"changed": MOST_NAMED + 50, "gone": MOST_NAMED + 50}
    assert (len(tally["objects"]), tally["objects"]["vm_0"]) == (MOST_NAMED, "gone")
    assert (tally["since"], tally["until"]) == (0, MOST_NAMED + 49)
