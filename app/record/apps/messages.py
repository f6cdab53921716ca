"""Messages of apps: added once for a key, claimed with a fence and a lease, settled under the same fence.

1. Add: the message is due at once or after its delay.
2. Claim: ``due_at`` moves to the end of the lease and the fence grows. So one index finds new, delayed,
   failed and lost messages, and an open message always has a due time (I21).
3. Prolong: the lease is renewed under the fence while a handler works.
4. Settle under the fence: delivered, due again after a pause, or dead. If the fence has grown, another
   process delivers the message, and nothing is changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, select, tuple_, update

from app.domain.apps.words import MessageState
from app.record.apps import numbers
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_message

Row = dict[str, Any]
Held = tuple[int, int]  # The number of a message, and the fence of its claim.
MOST_APPS = 1_000  # In one poll; the next poll begins with those that have waited longest.


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """A message to add; ``payload`` has the bytes of the message as the client encoded them."""

    queue: str
    payload: bytes
    cbor: bool = False
    run_id: str = ""
    version: str = ""
    key: str | None = None
    delay_ms: int = 0


def add(tx: Tx, scope: Scope, message: NewMessage) -> int | None:
    """Add a message; returns its number, None when its key was used before."""
    row = {
        **scope.key,
        "id": numbers.next_message(tx),
        "queue": message.queue,
        "run_id": message.run_id,
        "version": message.version,
        "key": message.key,
        "cbor": message.cbor,
        "payload": message.payload,
        "state": str(MessageState.OPEN),
        "due_at": tx.now + message.delay_ms,
        "created_at": tx.now,
    }
    # Only the key can conflict: a client that repeats its request must not have its message delivered twice.
    added = tx.insert(app_message).values(**row).on_conflict_do_nothing()
    number: int | None = tx.value(added.returning(app_message.c.id))
    return number


def waiting(tx: Tx) -> list[tuple[str, int]]:
    """Each application that has an open message, with its first due time, earliest first.

    Takes one lookup in the index for each application, however many messages it has.
    """
    seen = select(_next_app(tx, literal("")).label("app")).cte("seen", recursive=True)
    seen = seen.union_all(select(_next_app(tx, seen.c.app)).where(seen.c.app.is_not(None)))
    first = select(func.min(app_message.c.due_at)).where(_open(tx), app_message.c.app == seen.c.app)
    due = first.correlate(seen).scalar_subquery().label("due_at")
    found = select(seen.c.app, due).where(seen.c.app.is_not(None)).order_by("due_at").limit(MOST_APPS)
    return [(row["app"], row["due_at"]) for row in tx.rows(found) if row["due_at"] is not None]


def claim(tx: Tx, app: str, most: int, lease_ms: int) -> list[Row]:
    """Claim due messages of an application, the longest due first; returns the rows after the claim."""
    due = select(app_message.c.id).where(_open(tx), app_message.c.app == app, app_message.c.due_at <= tx.now)
    due = due.order_by(app_message.c.due_at, app_message.c.id).limit(most)
    if tx.dialect == "postgresql":
        # Two dispatchers take different messages; a row that is just being settled is skipped.
        due = due.with_for_update(skip_locked=True)
    chosen = due.cte("chosen")  # PostgreSQL could execute a locking subquery more than once.
    taken = update(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id == chosen.c.id)
    # Not NULL while the message is held: when its dispatcher dies, the message becomes due again by itself
    # (chaos: "what a dead dispatcher held never comes back").
    taken = taken.values(due_at=tx.now + lease_ms, fence=app_message.c.fence + 1)
    return sorted(tx.rows(taken.returning(app_message)), key=lambda row: int(row["id"]))


def prolong(tx: Tx, held: Sequence[Held], lease_ms: int) -> set[int]:
    """Renew leases; returns the numbers of the messages still held, other processes have the rest."""
    longer = update(app_message).where(_open(tx), _held(held)).values(due_at=tx.now + lease_ms)
    return {row["id"] for row in tx.rows(longer.returning(app_message.c.id))}


def give_back(tx: Tx, held: Sequence[Held]) -> int:
    """Make held messages due at once, so that other processes deliver them; returns how many."""
    # The fence grows here as well: a late answer of a handler must not settle a message that another process
    # delivers by then.
    back = update(app_message).where(_open(tx), _held(held))
    return tx.execute(back.values(due_at=tx.now, fence=app_message.c.fence + 1)).rowcount


def delivered(tx: Tx, held: Held) -> Row | None:
    """Settle a message as delivered; returns its new row, None when another process has it."""
    done = {"state": str(MessageState.DELIVERED), "delivered_at": tx.now, "due_at": None}
    return _settled(tx, held, done)


def failed(tx: Tx, held: Held, failure: str, pause_ms: int) -> Row | None:
    """Count a failed attempt; the next one is due after the pause.

    The fence grows, so that a late renewal of the lease does not prolong the pause.
    """
    again = {"attempts": app_message.c.attempts + 1, "fence": app_message.c.fence + 1, "failure": failure}
    return _settled(tx, held, {**again, "due_at": tx.now + pause_ms})


def exhausted(tx: Tx, held: Held, failure: str) -> Row | None:
    """Count the last failed attempt: the message is dead. The caller fails its step or run as well."""
    over = {"attempts": app_message.c.attempts + 1, "finalized_at": tx.now, "failure": failure}
    return _settled(tx, held, {**_dead(tx), **over})


def kill(tx: Tx, scope: Scope, **of: str) -> int:
    """Set the open messages of a ``run_id`` or a ``version`` to dead; how many. An operator may retry them.

    The fence grows, so that a process that delivers one of them just now cannot settle it.
    """
    ended = update(app_message).where(scope.owns(app_message), app_message.c.state == str(MessageState.OPEN))
    for name, value in of.items():
        ended = ended.where(app_message.c[name] == value)
    return tx.execute(ended.values(**_dead(tx), fence=app_message.c.fence + 1)).rowcount


def open_messages(tx: Tx, scope: Scope, run_id: str | None, *, limit: int, offset: int) -> list[Row]:
    """Messages still to be delivered, of an application or one of its runs, the earliest due first.

    Without their payloads: a page of messages may have gigabytes.
    """
    shown = [column for column in app_message.c if column is not app_message.c.payload]
    found = select(*shown).where(scope.owns(app_message), app_message.c.state == str(MessageState.OPEN))
    if run_id is not None:
        found = found.where(app_message.c.run_id == run_id)
    return tx.rows(found.order_by(app_message.c.due_at, app_message.c.id).limit(limit).offset(offset))


def dead_letters(tx: Tx, scope: Scope, queue: str | None, *, limit: int, offset: int) -> list[Row]:
    """Dead messages, the most recent first."""
    found = select(app_message).where(scope.owns(app_message), app_message.c.state == str(MessageState.DEAD))
    if queue is not None:
        found = found.where(app_message.c.queue == queue)
    newest = found.order_by(app_message.c.dead_at.desc(), app_message.c.id.desc())
    return tx.rows(newest.limit(limit).offset(offset))


def revive(tx: Tx, scope: Scope, number: int) -> bool:
    """Make a dead message due again; False when there is none, or its failure is in the log of its run."""
    # A message whose failure is in the log stays dead: the run has gone on without it, and a replay with it
    # would differ.
    dead = and_(app_message.c.state == str(MessageState.DEAD), app_message.c.finalized_at.is_(None))
    again = update(app_message).where(scope.owns(app_message), app_message.c.id == number, dead)
    fresh = {"state": str(MessageState.OPEN), "attempts": 0, "due_at": tx.now, "dead_at": None}
    return tx.execute(again.values(**fresh, fence=app_message.c.fence + 1)).rowcount == 1


def _dead(tx: Tx) -> dict[str, Any]:
    return {"state": str(MessageState.DEAD), "dead_at": tx.now, "due_at": None}


def _settled(tx: Tx, held: Held, columns: dict[str, Any]) -> Row | None:
    settled = update(app_message).where(_open(tx), _held([held])).values(**columns)
    return tx.row(settled.returning(app_message))


def _open(tx: Tx) -> ColumnElement[bool]:
    return and_(app_message.c.tenant_id == tx.tenant, app_message.c.state == str(MessageState.OPEN))


def _held(held: Iterable[Held]) -> ColumnElement[bool]:
    # Compared as pairs: the lease of one message must not be renewed under the fence of another.
    return tuple_(app_message.c.id, app_message.c.fence).in_(list(held))


def _next_app(tx: Tx, after: ColumnElement[Any]) -> ColumnElement[Any]:
    following = select(app_message.c.app).where(_open(tx), app_message.c.app > after)
    return following.order_by(app_message.c.app).limit(1).scalar_subquery()
