"""The frequent operations on messages, each as one statement of PostgreSQL in a transaction of its own.

Adding messages, finding and claiming due ones, and settling them as delivered save the round trips for the
clock, the number, and the begin and commit of a transaction. For other databases see
`app.record.apps.messages`.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from app.record.apps.handlers import EXPIRED
from app.record.apps.messages import MOST_APPS, Held, NewMessage
from app.record.apps.scope import Scope
from app.record.fast_path.transition import numbered, typed
from app.record.session import NOW, Database
from app.record.tables import app_message
from app.record.tables.apps import message_number

CLOCK = NOW["postgresql"]
Row = dict[str, Any]
CLAIMED = ("id", "app", "queue", "run_id", "version", "cbor", "payload", "attempts", "fence")
URLS = ("workflow_url", "step_url", "webhook_url")
GIVEN = ("tenant_id", "app", "queue", "run_id", "version", "key", "cbor", "payload")


def works(db: Database) -> bool:
    """Whether the database can execute these statements."""
    return db.dialect == "postgresql"


def add(db: Database, scope: Scope, message: NewMessage) -> tuple[int | None, int]:
    """Add a message; its number (None when its key was used before), and the database's clock."""
    values = [scope.tenant, scope.app, *(getattr(message, name) for name in GIVEN[2:]), message.delay_ms]

    def once(cursor: Any) -> Any:
        return cursor.execute(_adding(), values).fetchone()

    number, at = db.once(once)
    return number, at


def waiting(db: Database) -> tuple[list[tuple[str, int]], int]:
    """Each application with an open message and its first due time, earliest first; and the clock."""
    found = db.once(lambda cursor: cursor.execute(_waiting(), (db.tenant,)).fetchall(), patience_s=1.0)
    return [(app, due_at) for app, due_at, _ in found], found[0][2] if found else 0


def claim(db: Database, app: str, most: int, lease_ms: int) -> list[tuple[Row, list[Row]]]:
    """Claim due messages of an application, each with the handlers of its version."""
    values = (db.tenant, app, most, lease_ms)
    found = db.once(lambda cursor: cursor.execute(_claiming(), values).fetchall())
    return [
        (
            dict(zip(CLAIMED, row, strict=False)),
            [dict(zip(URLS, urls, strict=True)) for urls in row[-1] or ()],
        )
        for row in found
    ]


def delivered(db: Database, held: Sequence[Held], *, patience_s: float) -> set[int]:
    """Settle messages as delivered; returns the numbers of those settled.

    The others have another holder by now, or their row is locked: the statement does not wait for locks.
    """
    ids, fences = zip(*held, strict=True)
    values = (db.tenant, list(ids), list(fences))
    found = db.once(lambda cursor: cursor.execute(_delivering(), values).fetchall(), patience_s=patience_s)
    return {number for (number,) in found}


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
def _waiting() -> str:
    open_ = "FROM app_message AS m WHERE m.tenant_id = $1 AND m.state = 'open'"
    return (
        # One lookup in the index for each application, however many messages it has.
        f"WITH RECURSIVE seen AS (SELECT (SELECT m.app {open_} AND m.app > '' ORDER BY m.app LIMIT 1) AS app"
        f" UNION ALL SELECT (SELECT m.app {open_} AND m.app > seen.app ORDER BY m.app LIMIT 1)"
        " FROM seen WHERE seen.app IS NOT NULL)"
        f" SELECT seen.app, first.due_at, {CLOCK} FROM seen"
        f" CROSS JOIN LATERAL (SELECT min(m.due_at) AS due_at {open_} AND m.app = seen.app) AS first"
        f" WHERE first.due_at IS NOT NULL ORDER BY first.due_at LIMIT {MOST_APPS}"
    )


@cache
def _claiming() -> str:
    claimed = ", ".join(f"m.{name}" for name in CLAIMED)
    urls = ", ".join(f"h.{name}" for name in URLS)
    return (
        f"WITH clock AS MATERIALIZED (SELECT {CLOCK} AS at),"
        " chosen AS MATERIALIZED (SELECT m.id FROM app_message AS m"
        " WHERE m.tenant_id = $1 AND m.state = 'open' AND m.app = $2"
        " AND m.due_at <= (SELECT at FROM clock) ORDER BY m.due_at, m.id LIMIT $3"
        # Two dispatchers take different messages; a row that is just being settled is skipped.
        " FOR UPDATE SKIP LOCKED),"
        # Not NULL while the message is held: when its dispatcher dies, the message becomes due again by
        # itself (chaos: "what a dead dispatcher held never comes back").
        " taken AS (UPDATE app_message AS m SET due_at = (SELECT at FROM clock) + $4::bigint,"
        " fence = m.fence + 1 FROM chosen WHERE m.tenant_id = $1 AND m.id = chosen.id"
        f" RETURNING {claimed}),"
        # A handler may register again after its version has expired; it gets no messages.
        f" routes AS (SELECT h.version, array_agg(ARRAY[{urls}]::text[]) AS urls FROM app_handler AS h"
        " WHERE h.tenant_id = $1 AND h.app = $2 AND h.version IN (SELECT version FROM taken)"
        " AND NOT EXISTS (SELECT 1 FROM app_version AS v WHERE v.tenant_id = h.tenant_id"
        f" AND v.app = h.app AND v.version = h.version AND v.status = '{EXPIRED}') GROUP BY h.version)"
        f" SELECT {claimed}, routes.urls FROM taken AS m LEFT JOIN routes ON routes.version = m.version"
        " ORDER BY m.id"
    )


@cache
def _delivering() -> str:
    return (
        "WITH held AS MATERIALIZED (SELECT m.id FROM app_message AS m"
        " WHERE m.tenant_id = $1 AND m.id = ANY($2::bigint[]) AND m.state = 'open'"
        " AND (m.id, m.fence) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))"
        " FOR UPDATE OF m SKIP LOCKED)"
        f" UPDATE app_message AS m SET state = 'delivered', delivered_at = {CLOCK}, due_at = NULL"
        " FROM held WHERE m.tenant_id = $1 AND m.id = held.id RETURNING m.id"
    )
