"""Migrations go up and down on both databases, and the models are what they make."""

from collections.abc import Callable

import pytest
from sqlalchemy import inspect

from app.record import migrate
from app.record.session import Database
from tests.conftest import Databases


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> str:
    """A migrated database of each kind."""
    return databases(request.param).fresh()


def tables(url: str) -> set[str]:
    """The names of the tables that are there."""
    db = Database(url)
    try:
        return set(inspect(db.engine).get_table_names())
    finally:
        db.dispose()


def test_the_migrated_schema_is_what_the_models_say(url: str) -> None:
    assert migrate.check(url) == []


def test_a_database_that_is_behind_is_told_what_to_do(url: str) -> None:
    migrate.downgrade(url)

    assert migrate.check(url) == [
        f"the database is at revision None, the newest is {migrate.head()}: run windlass db upgrade"
    ]


def test_migrations_go_down_to_nothing_and_up_again(url: str) -> None:
    before = tables(url)

    migrate.downgrade(url)
    assert tables(url) == {"alembic_version"}
    migrate.upgrade(url)

    assert tables(url) == before
    assert migrate.check(url) == []


def test_an_upgrade_may_be_repeated(url: str) -> None:
    migrate.upgrade(url)
    migrate.upgrade(url)

    assert migrate.check(url) == []
