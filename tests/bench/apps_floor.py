"""What stands below every event of an app: an empty answer, and the one statement of an event alone.

Neither has routes, identity, quotas, rules or an answer that is put together.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from app.domain.apps.incoming import incoming
from app.record.apps import event_statement
from app.record.apps.scope import Scope
from app.record.session import Database
from tests.bench.apps_line import LINES, RUN, Event

EMPTY, STATEMENT = "/empty", "/statement/{line}/{place}/{run}"
Start = Callable[[str, list[tuple[str, str]]], Any]


def make() -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """``/empty`` answers nothing; a path of `STATEMENT` runs what the event at that place is written by."""
    db = Database(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1))
    scope = Scope(tenant=db.tenant, app="floor")
    known = {
        f"{line}/{place}": _statement(scope, event)
        for line, events in LINES.items()
        for place, event in enumerate(events)
    }

    def serve(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        if environ["PATH_INFO"] != EMPTY:
            _, _, line, place, run_id = environ["PATH_INFO"].split("/")
            text, names, values = known[f"{line}/{place}"]
            own = [_own(name, value, run_id) for name, value in zip(names, values, strict=True)]
            if db.once(lambda cursor: cursor.execute(text, own).fetchone()) is None:
                raise AssertionError("nothing was written")
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    return serve


def _statement(scope: Scope, event: Event) -> tuple[str, tuple[str, ...], list[Any]]:
    text, names, given = event_statement.statement(scope, incoming(RUN, event))
    return text, names, [given[name] for name in names]


def _own(name: str, value: Any, run_id: str) -> Any:
    """The value as it is for this run: entities have ids that no other has."""
    if name == "entity.id":
        return str(uuid4())
    return value.replace(RUN, run_id) if isinstance(value, str) and RUN in value else value
