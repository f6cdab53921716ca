"""What is done to every message, each as one statement of PostgreSQL that is a transaction of its own.

Adding a message and settling one as delivered take no round trips for a clock, a number and the two ends of a
transaction. On other databases `app.record.apps.messages` does the same.
"""

from functools import cache
from typing import Any

from app.record.apps.messages import Held, NewMessage
from app.record.apps.scope import Scope
from app.record.fast_path.transition import numbered, typed
from app.record.session import NOW, Database
from app.record.tables import app_message
from app.record.tables.apps import message_number

CLOCK = NOW["postgresql"]
GIVEN = ("tenant_id", "app", "queue", "run_id", "version", "key", "cbor", "payload")


def works(db: Database) -> bool:
    """Whether the database can."""
    return db.dialect == "postgresql"


def add(db: Database, scope: Scope, message: NewMessage) -> tuple[int | None, int]:
    """Add a message: its number, None when its key was used before; and the time of it."""
    values = [scope.tenant, scope.app, *(getattr(message, name) for name in GIVEN[2:]), message.delay_ms]

    def once(cursor: Any) -> Any:
        return cursor.execute(_adding(), values).fetchone()

    number, at = db.once(once)
    return number, at


def delivered(db: Database, held: Held, *, patience_s: float) -> bool:
    """Settle a message as delivered; False when somebody else has it."""
    settled = _delivering()

    def once(cursor: Any) -> Any:
        return cursor.execute(settled, (db.tenant, *held)).rowcount

    return bool(db.once(once, patience_s=patience_s))


@cache
def _adding() -> str:
    given = numbered()
    values = ", ".join(typed(app_message, name, given, cast=True) for name in GIVEN)
    delay = typed(app_message, "due_at", given, cast=True)
    return (
        f"WITH clock AS (SELECT {CLOCK} AS at), made AS ("
        f"INSERT INTO app_message ({', '.join(GIVEN)}, id, state, due_at, created_at)"
        f" SELECT {values}, nextval('{message_number.name}'), 'open', clock.at + {delay}, clock.at FROM clock"
        " ON CONFLICT DO NOTHING RETURNING id) SELECT (SELECT id FROM made), clock.at FROM clock"
    )


@cache
def _delivering() -> str:
    given = numbered()
    tenant, number, fence = (
        typed(app_message, name, given, cast=True) for name in ("tenant_id", "id", "fence")
    )
    return (
        f"UPDATE app_message SET state = 'delivered', delivered_at = {CLOCK}, due_at = NULL"
        f" WHERE tenant_id = {tenant} AND id = {number} AND fence = {fence} AND state = 'open'"
    )
