"""The short campaign on both stacks, as it is run by hand with ``scripts/chaos --smoke``."""

from pathlib import Path

import pytest

from tests.chaos import plans, report
from tests.chaos.campaign import run
from tests.chaos.fault import POSTGRES, SQLITE, faults
from tests.chaos.schedule import schedule

STACKS = (pytest.param(POSTGRES, marks=pytest.mark.postgres), pytest.param(SQLITE, marks=pytest.mark.sqlite))


@pytest.mark.parametrize("backend", STACKS)
def test_it_is_long_enough_for_every_one_of_its_faults(backend: str) -> None:
    plan, known = plans.smoke(1, backend), faults(backend)

    struck = {one.fault for one in schedule(plan.seed, plan.beats, known, plan.seconds)}

    assert struck == plans.SMOKE & known.keys()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", STACKS)
def test_no_run_is_lost_and_nothing_happens_twice_whatever_is_killed_meanwhile(
    backend: str, tmp_path: Path
) -> None:
    result = run(plans.smoke(1, backend), tmp_path, print)
    assert result.passed, report.verdict(result)
