"""How the database finds what is due: by the index, also in a table whose rows all waited a moment ago."""

from collections.abc import Callable

import pytest

from app.record.fast_path import ready, transition
from app.record.session import Database
from tests.integration.record.conftest import EXPLAIN

NOBODY_WAITS_ANY_MORE = (
    "UPDATE run SET expect_since = 1, expect_queue = 'default'",
    "UPDATE step SET expect_since = 1",
    "UPDATE run SET expect_since = NULL",
    "UPDATE step SET expect_since = NULL",
    "ANALYZE",
)


@pytest.fixture
def after_a_burst(with_runs: Database) -> Database:
    """Three thousand runs have just ended, and no vacuum has come by."""
    for statement in NOBODY_WAITS_ANY_MORE:
        with_runs.once(lambda cursor, text=statement: cursor.execute(text))  # type: ignore[misc]
    return with_runs


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        pytest.param(transition._see_run, ("default", "run_1"), id="beside one's own run"),
        pytest.param(ready._kinds, ("default", "default", 0) * 2, id="in a queue"),
    ],
)
def test_whether_anything_is_due_is_asked_of_an_index(
    after_a_burst: Database, statement: Callable[[str], str], values: tuple[object, ...]
) -> None:
    asked = f"{EXPLAIN[after_a_burst.dialect]} {statement(after_a_burst.dialect)}"

    plan = after_a_burst.once(lambda cursor: cursor.execute(asked, values).fetchall())

    said = "\n".join(line for (*_, line) in plan)
    assert "ix_run_expected" in said and "ix_step_expected" in said, said
