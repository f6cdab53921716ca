"""Events for the tests, and what stands in the tables afterwards, without what differs by nature."""

from typing import Any

from sqlalchemy import select

from app.domain.apps.incoming import Incoming, incoming
from app.domain.apps.refusal import Refused
from app.record.apps.entities import TABLES
from app.record.session import Database, Tx
from app.record.tables import app_event
from app.services.apps.write import Written, write

APP = "default"
RUN = "wrun_1"
START: dict[str, Any] = {"workflowName": "w", "deploymentId": "d"}
BY_NATURE = ("number", "at")  # Counters and clocks go on.


def event(kind: str, correlation_id: str | None = None, run_id: str = RUN, **data: Any) -> Incoming:
    """An event of a run."""
    body = {"eventType": kind, "specVersion": 6, "correlationId": correlation_id, "eventData": data}
    return incoming(run_id, body)


def begin(db: Database, run_id: str = RUN) -> None:
    """Create a run and start it."""
    for kind in ("run_created", "run_started"):
        write(db, APP, event(kind, None, run_id, **START))


def answered(db: Database, said: Incoming) -> Any:
    """The answer to an event: the status of a refusal, or what was written."""
    try:
        made: Written = write(db, APP, said)
    except Refused as refused:
        return refused.status
    shown = made.run if made.kind == "run" else made.entity
    return made.kind, _comparable(made.event), _comparable(shown)


def tables(db: Database) -> dict[str, list[Any]]:
    """Every row about runs."""

    def look(tx: Tx) -> dict[str, list[Any]]:
        named = {**TABLES, "event": app_event}
        keys = {name: list(table.primary_key.columns) for name, table in named.items()}
        return {
            name: [_comparable(row) for row in tx.rows(select(table).order_by(*keys[name]))]
            for name, table in named.items()
        }

    return db.read(look)


def _comparable(row: Any) -> Any:
    if row is None:
        return None
    random = ("id",) if "correlation_id" in row else ()  # Of steps and waits.
    kept = {name: value for name, value in row.items() if name not in (*BY_NATURE, *random)}
    times = ("created_at", "updated_at", "started_at", "completed_at", "received_at", "disposed_at")
    return {
        name: (value is not None) if name in (*times, "expired_at") else value for name, value in kept.items()
    }
