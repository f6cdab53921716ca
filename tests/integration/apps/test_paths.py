"""One statement, several statements, and SQLite: the same rows, the same answers."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from app.domain.apps.incoming import Incoming
from app.record.apps import doctor, event_statement
from app.record.apps.entities import TABLES
from app.record.apps.scope import Scope
from app.record.session import Database
from app.record.tables import app_event
from app.services.apps.write import write
from tests.integration.apps.events import APP, START, answered, event, tables

ENDS = ("run_completed", "run_failed", "run_cancelled")
KINDS = [kind for kind in event_statement.USUAL if kind not in ENDS]
DATA: dict[str, dict[str, Any]] = {
    "run_started": START,
    "step_created": {"stepName": "s", "input": [1]},
    "hook_created": {"token": "t", "metadata": 1},
    "wait_created": {"resumeAt": "2030-01-01T00:00:00.001Z"},
    "step_completed": {"result": "x"},
    "step_failed": {"error": "x"},
    "step_retrying": {"error": "x"},
    "attr_set": {"changes": [{"key": "a", "value": "1"}], "writer": {"type": "workflow"}},
}
LAZY: dict[str, Any] = {"stepName": "s", "input": {"z": 1, "a": "\0"}}


def events() -> Any:
    names = st.sampled_from(["c1", "c2"])
    usual = st.builds(
        lambda kind, name, run: event(kind, name, run, **DATA.get(kind, {})),
        st.sampled_from([*map(str, KINDS), "attr_set"]),
        names,
        st.sampled_from(["wrun_1", "wrun_1", "wrun_2"]),
    )
    begins = st.builds(
        lambda run: event("run_created", None, run, **START), st.sampled_from(["wrun_1", "wrun_2"])
    )
    lazy = st.builds(lambda name: event("step_started", name, **LAZY), names)
    ends = st.builds(
        lambda kind: event(kind, output=1, error=2),
        st.sampled_from(["run_completed", "run_failed", "run_expired"]),
    )
    return st.lists(st.one_of(usual, usual, usual, begins, lazy, lazy, ends), max_size=14)


def emptied(db: Database) -> Database:
    for table in (*TABLES.values(), app_event):
        db.write(lambda tx, table=table: tx.execute(delete(table)))  # type: ignore[misc]
    return db


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=events())
def test_every_path_writes_the_same(postgres_db: Database, sqlite_db: Database, said: list[Incoming]) -> None:
    said = [event("run_created", None, **START), *said]
    quick, small = emptied(postgres_db), emptied(sqlite_db)

    assert [answered(quick, one) for one in said] == [answered(small, one) for one in said]

    assert tables(quick) == tables(small)
    assert quick.read(doctor.findings) == small.read(doctor.findings) == []


def test_what_is_usual_takes_one_statement(postgres_db: Database) -> None:
    usual = [
        event("run_created", None, **START),
        event("run_started", None, **START),
        event("step_started", "s1", **LAZY),
        event("step_completed", "s1", result=1),
        event("step_created", "s2", stepName="s"),
        event("step_started", "s2"),
        event("step_retrying", "s2", error=1),
        event("step_failed", "s2", error=1),
        event("hook_created", "h1", token="t"),
        event("hook_received", "h1", payload=1),
        event("hook_disposed", "h1"),
        event("wait_created", "w1", resumeAt="2030-01-01"),
        event("wait_completed", "w1"),
        event("run_completed", None, output=1),
    ]
    scope = Scope(tenant=postgres_db.tenant, app=APP)

    assert [one.type for one in usual if event_statement.write(postgres_db, scope, one, 100) is None] == []


def test_a_quota_is_kept_by_every_path(db: Database) -> None:
    said = [
        event("run_created", None, **START),
        event("run_started"),
        event("step_created", "c", stepName="s"),
    ]
    for one in said[:2]:
        write(db, APP, one, quota=2)

    try:
        write(db, APP, said[2], quota=2)
    except Exception as refused:
        assert getattr(refused, "status", None) == 429
    assert [row["seq"] for row in tables(db)["event"]] == [1, 2]
