"""A commit whose answer is lost is done again by the same process: what was written once stays once."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import select

from app.domain.apps.refusal import Refused
from app.record.session import Database, Tx
from app.record.tables import app_chunk, app_message
from app.services.apps import actions, streams
from tests.integration.apps.events import APP, RUN, begin, tables


@pytest.fixture
def unheard(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A run on a database whose next commit is done, and not heard of."""
    begin(db)
    real, lost = db.transaction, list[str]()

    @contextmanager
    def transaction() -> Iterator[Tx]:
        with real() as tx:
            yield tx
        if not lost:
            lost.append("answer")
            raise psycopg.OperationalError("the connection is closed")

    monkeypatch.setattr(db, "transaction", transaction)
    return db


def test_a_replay_begins_once(unheard: Database) -> None:
    fresh = actions.replay(unheard, lambda _hints: None, APP, RUN)["id"]

    log = [row["event_type"] for row in tables(unheard)["event"] if row["run_id"] == fresh]
    messages = unheard.read(lambda tx: tx.rows(select(app_message)))
    assert (log, [row["run_id"] for row in messages]) == (["run_created"], [fresh])


def test_a_run_that_is_cancelled_is_told_so(unheard: Database) -> None:
    assert actions.cancel(unheard, APP, RUN)["status"] == "cancelled"

    assert [row["event_type"] for row in tables(unheard)["event"]][2:] == ["run_cancelled"]
    with pytest.raises(Refused, match="already in terminal state"):
        actions.cancel(unheard, APP, RUN)


def test_chunks_are_appended_once(unheard: Database) -> None:
    streams.append(unheard, APP, RUN, "s", [b"a", b""])
    streams.append(unheard, APP, RUN, "s", [b"a", b""])  # Another write, of the same.

    rows = unheard.read(lambda tx: tx.rows(select(app_chunk).order_by(app_chunk.c.number)))
    assert [bytes(row["data"]) for row in rows] == [b"a", b"", b"a", b""]
    assert streams.info(unheard, APP, RUN, "s")["tailIndex"] == 3
