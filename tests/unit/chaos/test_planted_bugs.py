"""The list of planted bugs stays true while the code changes."""

from pathlib import Path

import pytest

from tests.chaos import plans
from tests.chaos.bugs.catalogue import BUGS, RULES
from tests.chaos.bugs.of_apps import APPS
from tests.chaos.bugs.of_batches import BATCHES
from tests.chaos.bugs.plant import Bug, NotThere, line_of, planted
from tests.chaos.bugs.scenarios import SCENARIOS

NAMES = [bug.name for bug in BUGS]
ALL = (*BUGS, *APPS, *BATCHES)
EVERY = pytest.mark.parametrize("bug", ALL, ids=[bug.name for bug in ALL])


@EVERY
def test_the_line_that_a_bug_exchanges_stands_in_the_code_once(bug: Bug) -> None:
    assert line_of(bug) > 0


def test_the_lines_that_bugs_of_the_machine_exchange_stand_there_once() -> None:
    assert all(line_of(bug) > 0 for bug in RULES)


@EVERY
def test_a_bug_is_a_line_of_python_and_has_a_scenario(bug: Bug, tmp_path: Path) -> None:
    tree = planted(bug, tmp_path)

    text = (tree / bug.file).read_text()
    compile(text, bug.file, "exec")
    assert text.count(bug.new) == 1
    assert bug.scenario in (*SCENARIOS, *plans.APPS, *plans.ROWS)


def test_there_are_fifteen_bugs_or_more_and_every_scenario_shows_one() -> None:
    assert len(set(NAMES)) == len(BUGS) >= 15
    assert {bug.scenario for bug in BUGS} == set(SCENARIOS)


def test_a_line_that_is_not_there_is_not_exchanged(tmp_path: Path) -> None:
    bug = Bug(
        name="moved",
        file="app/engine/transitions/claim.py",
        old="x",
        new="y",
        breaks="",
        scenario="",
        caught_by="",
    )

    with pytest.raises(NotThere, match=r"app/engine/transitions/claim.py 0 times"):
        planted(bug, tmp_path)
