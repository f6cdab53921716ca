"""The state tables, walked: every arrow is allowed, nothing else is, and every state is reached and left."""

from itertools import product

import pytest

from app.domain.errors import InvalidStateTransition
from app.domain.states import (
    API_STATUS,
    API_WORDS,
    NEEDS_OPERATOR,
    RUN_ARROWS,
    STEP_ARROWS,
    STEP_DONE,
    STEP_ENDED,
    TERMINAL,
    RunStatus,
    StepStatus,
    check_run,
    check_step,
)


def test_a_run_takes_every_arrow_and_no_other() -> None:
    for old, new in product(RunStatus, RunStatus):
        if old == new or (old, new) in RUN_ARROWS:
            check_run(old, new)
        else:
            with pytest.raises(InvalidStateTransition, match=f"{old} cannot become {new}"):
                check_run(old, new)


def test_a_step_takes_every_arrow_and_no_other() -> None:
    for old, new in product(StepStatus, StepStatus):
        if (old, new) in STEP_ARROWS:
            check_step(old, new)
        else:
            with pytest.raises(InvalidStateTransition):
                check_step(old, new)


def test_a_run_that_ended_never_moves_again() -> None:
    assert not {old for old, _ in RUN_ARROWS} & TERMINAL


def test_a_step_that_is_done_never_moves_again() -> None:
    assert not {old for old, _ in STEP_ARROWS} & STEP_DONE


@pytest.mark.parametrize("run", sorted(set(RunStatus) - TERMINAL))
def test_every_open_run_can_end(run: RunStatus) -> None:
    reached, frontier = {run}, {run}
    while frontier:
        frontier = {new for old, new in RUN_ARROWS if old in frontier} - reached
        reached |= frontier
    assert reached & TERMINAL


@pytest.mark.parametrize("run", sorted(set(RunStatus) - {RunStatus.QUEUED}))
def test_every_state_of_a_run_is_reached_from_its_first(run: RunStatus) -> None:
    reached, frontier = {RunStatus.QUEUED}, {RunStatus.QUEUED}
    while frontier:
        frontier = {new for old, new in RUN_ARROWS if old in frontier} - reached
        reached |= frontier
    assert run in reached


def test_every_state_of_a_step_is_reached_from_its_first() -> None:
    reached, frontier = {StepStatus.PENDING}, {StepStatus.PENDING}
    while frontier:
        frontier = {new for old, new in STEP_ARROWS if old in frontier} - reached
        reached |= frontier
    assert reached == set(StepStatus)


def test_a_run_that_needs_an_operator_has_a_way_on_and_a_way_back() -> None:
    for run in NEEDS_OPERATOR:
        assert {new for old, new in RUN_ARROWS if old == run} & {RunStatus.RUNNING, RunStatus.COMPENSATING}


def test_each_state_is_one_of_five_words() -> None:
    assert set(API_STATUS) == set(RunStatus)
    assert set(API_STATUS.values()) == set(API_WORDS)
    assert {
        run for run, word in API_STATUS.items() if word in ("completed", "failed", "cancelled")
    } == TERMINAL


def test_what_is_done_has_ended() -> None:
    assert STEP_DONE < STEP_ENDED
