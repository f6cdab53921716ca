"""The short campaign on both stacks, as it is run by hand with ``scripts/chaos --smoke``.

How long things take is judged there and not here: a test knows nothing of what else its machine does.
"""

from pathlib import Path

import pytest

from tests.chaos import plans, report
from tests.chaos.campaign import run
from tests.chaos.fault import POSTGRES, SQLITE

STACKS = (pytest.param(POSTGRES, marks=pytest.mark.postgres), pytest.param(SQLITE, marks=pytest.mark.sqlite))

TIMES = frozenset({"recovery", "service", "late", "bells"})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", STACKS)
def test_no_run_is_lost_and_nothing_happens_twice_whatever_is_killed_meanwhile(
    backend: str, tmp_path: Path
) -> None:
    result = run(plans.smoke(1, backend), tmp_path, print)
    assert not [one for one in result.findings if one.number not in TIMES], report.verdict(result)
