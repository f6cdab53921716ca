"""Schedules under chaos: what the check sees, and that one that fires twice is noticed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.bugs.catalogue import BUGS
from tests.chaos.bugs.plant import TESTED, planted
from tests.chaos.checks import schedules
from tests.chaos.checks.evidence import Evidence

DUE = {"id": "sch_1", "name": "minutely", "anchor_at": 0, "every_ms": 10, "next_due_at": 40}  # 10, 20, 30.
TESTS = "tests/integration/engine/test_schedules.py"


def occurrence(outcome: str = "started", run_id: str | None = None, **more: Any) -> dict[str, Any]:
    """What became of a due time."""
    row = {"schedule_id": "sch_1", "outcome": outcome, "run_id": run_id, "times": 1, "manual": False}
    return {**row, **more}


def found(*occurrences: dict[str, Any], runs: tuple[str, ...] = ("a", "b")) -> list[str]:
    """What the check reports, when these runs were started by the schedule."""
    rows = {run_id: {"triggered_by": "schedule/sch_1"} for run_id in runs}
    known = Evidence(runs=rows, steps={}, events={}, schedules=[DUE], occurrences=occurrences)
    return [one.what for one in schedules.once(known)]


def test_each_due_time_has_its_run_or_its_reason() -> None:
    asked = occurrence(run_id="c", manual=True)
    first, second, missed = occurrence(run_id="a"), occurrence(run_id="b"), occurrence("missed")
    assert found(first, second, missed) == []
    assert found(first, second, missed, asked, runs=("a", "b", "c")) == []
    assert found(first, occurrence("missed", times=2), runs=("a",)) == []


@pytest.mark.parametrize(
    ("outcomes", "starts"),
    [
        ([("started", "a"), ("missed", None), ("missed", None)], "1 times a run, 0 times a due time"),
        ([("started", "a"), ("started", "a"), ("started", "b")], "1 times a run, 2 times a due time"),
        ([("started", "a"), ("started", "b"), ("started", "c")], "0 times a run, 1 times a due time"),
        ([("started", "a"), ("started", "b")], "minutely was due 3 times and knows of 2"),
    ],
)
def test_what_is_double_left_out_or_made_up_is_seen(
    outcomes: list[tuple[str, str | None]], starts: str
) -> None:
    (what,) = found(*(occurrence(outcome, run_id) for outcome, run_id in outcomes))
    assert what.startswith(starts)


@pytest.mark.nightly  # The self-test plays it, too.
def test_a_planted_double_schedule_fails_the_tests_of_the_engine(tmp_path: Path) -> None:
    (bug,) = (one for one in BUGS if one.name == "double schedule")
    tree = planted(bug, tmp_path / "tree", *TESTED)
    words = ["-m", "pytest", "-q", "-m", "sqlite", "-k", "test_a_run_starts_when_it_is_due", TESTS]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run([sys.executable, *words], cwd=tree, env=env, capture_output=True, text=True)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
