"""What does not hold for apps is found, and what is old goes with all it has."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.record.apps import doctor, messages, retention
from app.record.apps.messages import NewMessage
from app.record.apps.scope import Scope
from app.record.session import Database
from app.record.tables import app_event, app_hook, app_message, app_run, app_step, app_wait
from app.services.apps import actions
from app.services.apps.write import write
from tests.integration.apps.events import APP, RUN, begin, event

LONG = 1_000_000


def worked(db: Database) -> None:
    begin(db)
    for kind, name, data in (
        ("step_started", "s", {"stepName": "s", "input": 1}),
        ("step_started", "unknown", {}),
        ("step_retrying", "s", {"error": 1}),
        ("hook_created", "h", {"token": "t"}),
        ("hook_received", "h", {}),
        ("wait_created", "w", {"resumeAt": "2099-01-01"}),
    ):
        write(db, APP, event(kind, name, **data))


def found(db: Database) -> set[str]:
    return {one["invariant"] for one in db.read(doctor.findings)}


@pytest.mark.parametrize("ending", [None, "run_completed", "run_expired"])
def test_what_was_written_through_events_holds(db: Database, ending: str | None) -> None:
    worked(db)
    if ending:
        write(db, APP, event(ending))
        write(db, APP, event("hook_created", "late", token="t2"))
        write(db, APP, event("wait_created", "late", resumeAt="2099-01-01"))

    assert found(db) == set()


@pytest.mark.parametrize(
    ("table", "changes", "number"),
    [
        (app_run, {"status": "completed"}, "I20"),
        (app_run, {"events": 99}, "I19"),
        (app_step, {"status": "completed"}, "I20"),
        (app_hook, {"status": "disposed"}, "I20"),
        (app_hook, {"correlation_id": "x"}, "I20"),
        (app_wait, {"status": "completed"}, "I20"),
    ],
)
def test_a_row_that_differs_from_the_log_is_found(
    db: Database, table: Any, changes: Any, number: str
) -> None:
    worked(db)
    db.write(lambda tx: tx.execute(update(table).values(**changes)))

    assert found(db) == {number}


def test_a_message_that_is_never_due_is_found(db: Database) -> None:
    begin(db)
    actions.replay(db, lambda _hints: None, APP, RUN)
    db.write(lambda tx: tx.execute(update(app_message).values(due_at=None)))

    assert found(db) == {"I21"}


def test_an_old_run_goes_with_all_it_has(db: Database) -> None:
    worked(db)
    write(db, APP, event("run_completed"))
    begin(db, "wrun_2")
    later = db.read(lambda tx: tx.now) + LONG

    assert db.read(lambda tx: retention.ended_before(tx, later, 10)) == [(APP, RUN)]
    db.write(lambda tx: retention.forget_run(tx, APP, RUN))
    for table in (app_event, app_step, app_hook, app_wait):
        rows = db.read(lambda tx, table=table: tx.rows(select(table)))  # type: ignore[misc]
        assert {row["run_id"] for row in rows} <= {"wrun_2"}


def test_messages_without_a_run_go_when_they_are_over(db: Database) -> None:
    begin(db)
    fresh = actions.replay(db, lambda _hints: None, APP, RUN)["id"]
    later = db.read(lambda tx: tx.now) + LONG
    db.write(lambda tx: tx.execute(update(app_message).values(state="delivered")))

    assert db.write(lambda tx: retention.forget_messages(tx, later))[0] == 0
    db.write(lambda tx: tx.execute(update(app_message).values(run_id="gone")))
    assert db.write(lambda tx: retention.forget_messages(tx, 0))[0] == 0
    assert db.write(lambda tx: retention.forget_messages(tx, later))[0] == 1
    assert fresh != RUN


def test_messages_that_are_kept_hide_no_others(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "OLDEST", 2)
    begin(db)
    scope, later = Scope(tenant=db.tenant, app=APP), db.read(lambda tx: tx.now) + LONG
    for run_id in (RUN, RUN, "", RUN):
        one = NewMessage(queue="q", payload=b"1", run_id=run_id)
        db.write(lambda tx, one=one: messages.add(tx, scope, one))  # type: ignore[misc]
    db.write(lambda tx: tx.execute(update(app_message).values(state="delivered")))

    gone, after = db.write(lambda tx: retention.forget_messages(tx, later))
    more, anew = db.write(lambda tx: retention.forget_messages(tx, later, after))
    rest, _ = db.write(lambda tx: retention.forget_messages(tx, later, anew))

    assert (gone, more, rest) == (0, 1, 0)
