"""What stands below every event of an app: an empty answer, and the one statement of an event alone.

Neither has routes, identity, quotas, rules or an answer that is put together.
"""

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

from app.domain.apps.incoming import incoming
from app.record.apps import fast
from app.record.apps.scope import Scope
from app.record.session import Database

START = {"workflowName": "w", "deploymentId": "d", "input": "x" * 90}
_NUMBERS = itertools.count()
Start = Callable[[str, list[tuple[str, str]]], Any]


def make() -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """``/empty`` says nothing; everything else writes ``run_created`` for a run of its own."""
    db = Database(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1))
    scope = Scope(tenant=db.tenant, app="default")
    first = incoming("", {"eventType": "run_created", "specVersion": 6, "eventData": START})
    text, names, given = fast.statement(scope, first)

    def serve(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        if not environ["PATH_INFO"].endswith("/empty"):
            own = f"wrun_{os.getpid()}_{next(_NUMBERS)}"
            values = {**given, "run_id": own, "run.id": own}
            db.once(lambda cursor: cursor.execute(text, [values[name] for name in names]).fetchone())
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    return serve
