"""The harness proves itself: bugs planted into a candidate are noticed, and a sound candidate passes."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.candidates import CANDIDATES, CELERY, STEPS, Candidate
from tests.bench.stage import Stage
from tests.bench.workload import Wrong

NAIVE = CANDIDATES["celery-naive"]
SLOWER_S = 0.02  # What `planted` adds to every step.
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Servers; Celery and psycopg are in this very environment."""
    with Stage(quick=True, peers=Path(sys.executable)) as made:
        yield made


def planted(bug: str) -> Candidate:
    """The naive candidate with a bug."""
    worker = tuple(part.replace("celery_app", "planted") for part in CELERY)
    return replace(NAIVE, name=f"{NAIVE.name}-{bug}", worker=worker)


@pytest.mark.nightly  # `scripts/bench` runs the same candidate.
def test_a_sound_candidate_passes(stage: Stage) -> None:
    session = stage.open(NAIVE)
    burst = session.burst(80)
    assert burst.steps_per_second > 0
    assert 0 < session.single().first < session.single().ended + 1


def test_a_lost_run_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.session.STALL_S", 3.0)
    with pytest.raises(Wrong, match="work is lost"):
        stage.open(planted("loses")).burst(80)


def test_steps_that_are_recorded_together_at_the_end_are_noticed(stage: Stage) -> None:
    with pytest.raises(Wrong, match=r"2\.0 commits a run; it needs 11"):
        stage.open(planted("late")).burst(80)


def test_commits_that_nobody_waited_for_are_noticed(stage: Stage) -> None:
    with pytest.raises(Wrong, match="40 of 44 commits were not waited for"):
        stage.open(planted("soft"))


@pytest.mark.nightly  # Three bursts of slow steps.
def test_a_slow_down_shows_in_throughput_and_latency(stage: Stage) -> None:
    session = stage.open(planted("slow"))
    assert session.burst(40).steps_per_second <= NAIVE.slots / SLOWER_S
    assert session.single().ended >= STEPS * SLOWER_S
