"""Migrations go up and down on both databases, and the models are what they make."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Text, cast, func, inspect, select, text

from app.domain.json import JsonObject
from app.domain.rows.runs import EventRow
from app.record import migrate
from app.record.runs import lost_messages, runs
from app.record.session import Database, dump
from app.record.tables import event, run, step
from tests.conftest import Databases


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> str:
    """A migrated database of each kind."""
    return databases(request.param).fresh()


@contextmanager
def closing_db(url: str) -> Iterator[Database]:
    """The database, as long as its schema stays as it is."""
    db = Database(url)
    try:
        yield db
    finally:
        db.dispose()


def tables(url: str) -> set[str]:
    """The names of the tables that are there."""
    with closing_db(url) as db:
        return set(inspect(db.engine).get_table_names())


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


PLANTED = text(
    "INSERT INTO step (tenant_id, run_id, phase, key, ordinal, name, kind, queue, status, timeout_ms, holder,"
    " lease_until) VALUES"
    " ('default', 'run_1', 'forward', 'held', 1, 'a', 'task', 'q', 'running', 1, 'h:1/x', 1),"
    " ('default', 'run_1', 'forward', 'left', 2, 'a', 'task', 'q', 'pending', 1, NULL, NULL),"
    " ('default', 'run_1', 'forward', 'due', 3, 'a', 'child', 'q', 'pending', 1, NULL, NULL)"
)


def test_what_ran_before_leases_had_rows_is_found_there(url: str) -> None:
    migrate.downgrade(url, "0007")
    with closing_db(url) as db:
        db.write(lambda tx: tx.execute(PLANTED))

    migrate.upgrade(url)

    with closing_db(url) as db:
        assert [one["key"] for one in db.read(lambda tx: lost_messages.expired_leases(tx, 9))] == ["held"]
        turns = db.read(lambda tx: tx.rows(select(step.c.turn).order_by(step.c.ordinal)))
    assert [row["turn"] for row in turns] == [None, None, "ready"]
    migrate.downgrade(url, "0007")
    with closing_db(url) as db:
        assert db.read(lambda tx: tx.value(text("SELECT count(*) FROM step"))) == 3


def test_steps_keep_what_they_hold_when_their_columns_are_put_in_order(url: str) -> None:
    migrate.downgrade(url, "0016")
    shown = select(*(cast(one, Text).label(one.name) for one in step.columns)).order_by(step.c.ordinal)
    with closing_db(url) as db:
        db.write(lambda tx: tx.execute(PLANTED))
        db.write(lambda tx: tx.execute(step.update().values(output=PAYLOAD, pending=2, unsure=True)))
        before = db.read(lambda tx: tx.rows(shown))

    for change, revision in ((migrate.upgrade, "0017"), (migrate.downgrade, "0016")):
        change(url, revision)
        with closing_db(url) as db:
            assert db.read(lambda tx: tx.rows(shown)) == before


@pytest.mark.postgres
def test_the_columns_of_a_step_stand_in_the_order_of_the_model(databases: Callable[[str], Databases]) -> None:
    with closing_db(databases("postgres").fresh()) as db:
        found = [column["name"] for column in inspect(db.engine).get_columns("step")]
    assert found == step.columns.keys()


OLD_RUNS = text(
    "INSERT INTO run (tenant_id, id, type, status, triggered_by, on_failure, version, created_at) VALUES"
    " ('default', 'run_1', 'server.inspect', 'completed', 'usr_a', 'hold', NULL, 1),"
    " ('default', 'run_2', 'batch.names', 'completed', 'usr_a', 'hold', '1', 2),"
    " ('default', 'run_3', 'batch.workflow', 'completed', 'usr_a', 'keep', NULL, 3)"
)


def test_runs_of_before_have_the_kind_that_their_version_or_type_told(url: str) -> None:
    migrate.downgrade(url, "0009")
    with closing_db(url) as db:
        db.write(lambda tx: tx.execute(OLD_RUNS))

    migrate.upgrade(url)

    with closing_db(url) as db:
        rows = db.read(lambda tx: tx.rows(select(run.c.kind).order_by(run.c.id)))
    assert [row["kind"] for row in rows] == ["declared", "code", "batch"]
    migrate.downgrade(url, "0009")
    with closing_db(url) as db:
        assert db.read(lambda tx: tx.value(text("SELECT count(*) FROM run WHERE version = '1'"))) == 1


PAYLOAD: JsonObject = {"b": 1e16, "a": [12345678901234567890, '\u00fc " \\ \n'], "c": {"x": None}}
BLANK: EventRow = {
    "run_id": "run_1",
    "at": 5,
    "phase": None,
    "step": None,
    "attempt": None,
    "actor": None,
    "payload": None,
}
TOLD: list[EventRow] = [
    {**BLANK, "seq": 1, "type": "run.created", "actor": "usr_1", "payload": PAYLOAD},
    {**BLANK, "seq": 2, "type": "step.lost", "phase": "forward", "step": "a", "attempt": 2},
    {**BLANK, "seq": 3, "type": "run.started", "payload": {"runStatus": "running"}},
]


def test_what_a_transition_told_is_an_event_a_row_for_an_earlier_release(url: str) -> None:
    with closing_db(url) as db:
        db.write(lambda tx: runs.append_events(tx, TOLD))
        told = db.read(lambda tx: runs.events_of(tx, "run_1"))
        assert db.read(lambda tx: tx.value(select(func.count()).select_from(event))) == 1

    migrate.downgrade(url, "0010")
    with closing_db(url) as db:
        rows = db.read(lambda tx: tx.rows(text("SELECT seq, payload FROM event ORDER BY seq")))
    assert [row["seq"] for row in rows] == [1, 2, 3]
    migrate.upgrade(url)

    with closing_db(url) as db:
        assert db.read(lambda tx: runs.events_of(tx, "run_1")) == told
        shown = select(cast(event.c.payload, Text)).where(event.c.seq == 1)
        assert db.read(lambda tx: tx.value(shown)) == dump(PAYLOAD)
