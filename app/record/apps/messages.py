"""Messages of apps: added once, claimed under a fence and a lease, settled under the same fence.

1. Added: due at once or after its delay, and only once for a key.
2. Claimed: ``due_at`` moves to the end of the lease and the fence grows. So one index finds new, delayed,
   failed and lost messages, and an open message always has a time at which it is due (I21).
3. Prolonged: under the fence, while a handler works.
4. Settled under the fence: delivered, due again after a pause, or dead. A fence that has grown means that
   somebody else delivers, and nothing is changed.
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
Held = tuple[int, int]  # A message and the fence that it was claimed with.
MOST_APPS = 1_000  # That are looked at in one look; the next one begins with those that wait longest.


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """What is added; ``payload`` holds the very bytes of the message in its encoding."""

    queue: str
    payload: bytes
    cbor: bool = False
    run_id: str = ""
    version: str = ""
    key: str | None = None
    delay_ms: int = 0


def add(tx: Tx, scope: Scope, message: NewMessage) -> int | None:
    """Add a message; its number, None when its key was used before."""
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
    # The key alone can be in the way; a client that asks again must not have its message delivered twice.
    added = tx.insert(app_message).values(**row).on_conflict_do_nothing()
    number: int | None = tx.value(added.returning(app_message.c.id))
    return number


def waiting(tx: Tx) -> list[tuple[str, int]]:
    """Every application that has an open message, with the time when its first one is due, earliest first.

    One step in the index an application, however many messages wait.
    """
    seen = select(_next_app(tx, literal("")).label("app")).cte("seen", recursive=True)
    seen = seen.union_all(select(_next_app(tx, seen.c.app)).where(seen.c.app.is_not(None)))
    first = select(func.min(app_message.c.due_at)).where(_open(tx), app_message.c.app == seen.c.app)
    due = first.correlate(seen).scalar_subquery().label("due_at")
    found = select(seen.c.app, due).where(seen.c.app.is_not(None)).order_by("due_at").limit(MOST_APPS)
    return [(row["app"], row["due_at"]) for row in tx.rows(found) if row["due_at"] is not None]


def claim(tx: Tx, app: str, most: int, lease_ms: int) -> list[Row]:
    """Take on the messages of an application that are due, longest due first, as they are from now on."""
    due = select(app_message.c.id).where(_open(tx), app_message.c.app == app, app_message.c.due_at <= tx.now)
    due = due.order_by(app_message.c.due_at, app_message.c.id).limit(most)
    if tx.dialect == "postgresql":
        # Two dispatchers take different messages; what somebody is just settling is left to him.
        due = due.with_for_update(skip_locked=True)
    chosen = due.cte("chosen")  # A subquery that locks could be asked more than once.
    taken = update(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id == chosen.c.id)
    # Not NULL while it is held: nobody need notice the death of a dispatcher, the message is simply due again
    # (chaos: "what a dead dispatcher held never comes back").
    taken = taken.values(due_at=tx.now + lease_ms, fence=app_message.c.fence + 1)
    return sorted(tx.rows(taken.returning(app_message)), key=lambda row: int(row["id"]))


def prolong(tx: Tx, held: Sequence[Held], lease_ms: int) -> set[int]:
    """Move the ends of leases; the messages that are still held, all others somebody else has by now."""
    longer = update(app_message).where(_open(tx), _held(held)).values(due_at=tx.now + lease_ms)
    return {row["id"] for row in tx.rows(longer.returning(app_message.c.id))}


def give_back(tx: Tx, held: Sequence[Held]) -> int:
    """Let others deliver at once what nobody will settle here, however late."""
    # The fence grows here as well: a late answer of a handler must not settle what another one delivers by
    # then.
    back = update(app_message).where(_open(tx), _held(held))
    return tx.execute(back.values(due_at=tx.now, fence=app_message.c.fence + 1)).rowcount


def delivered(tx: Tx, held: Held) -> Row | None:
    """Settle a message as delivered; as it is from now on, None when somebody else has it."""
    done = {"state": str(MessageState.DELIVERED), "delivered_at": tx.now, "due_at": None}
    return _settled(tx, held, done)


def failed(tx: Tx, held: Held, failure: str, pause_ms: int) -> Row | None:
    """Count a failed attempt; the next one is due after the pause.

    The fence grows, so that nothing that is late prolongs a lease which has become a pause.
    """
    again = {"attempts": app_message.c.attempts + 1, "fence": app_message.c.fence + 1, "failure": failure}
    return _settled(tx, held, {**again, "due_at": tx.now + pause_ms})


def exhausted(tx: Tx, held: Held, failure: str) -> Row | None:
    """Count the last failed attempt: the message is dead, and what it was about ends with it."""
    over = {"attempts": app_message.c.attempts + 1, "finalized_at": tx.now, "failure": failure}
    return _settled(tx, held, {**_dead(tx), **over})


def kill(tx: Tx, scope: Scope, **of: str) -> int:
    """End what is open of a ``run_id`` or a ``version``, how many; an operator may retry it.

    The fence grows, so that whoever delivers one of them just now settles nothing.
    """
    ended = update(app_message).where(scope.owns(app_message), app_message.c.state == str(MessageState.OPEN))
    for name, value in of.items():
        ended = ended.where(app_message.c[name] == value)
    return tx.execute(ended.values(**_dead(tx), fence=app_message.c.fence + 1)).rowcount


def open_messages(tx: Tx, scope: Scope, run_id: str | None, *, limit: int, offset: int) -> list[Row]:
    """Messages that are still to be delivered, of an application or one of its runs, soonest due first.

    Without what is in them: a page of messages may hold gigabytes.
    """
    shown = [column for column in app_message.c if column is not app_message.c.payload]
    found = select(*shown).where(scope.owns(app_message), app_message.c.state == str(MessageState.OPEN))
    if run_id is not None:
        found = found.where(app_message.c.run_id == run_id)
    return tx.rows(found.order_by(app_message.c.due_at, app_message.c.id).limit(limit).offset(offset))


def dead_letters(tx: Tx, scope: Scope, queue: str | None, *, limit: int, offset: int) -> list[Row]:
    """Dead messages, those that died last first."""
    found = select(app_message).where(scope.owns(app_message), app_message.c.state == str(MessageState.DEAD))
    if queue is not None:
        found = found.where(app_message.c.queue == queue)
    newest = found.order_by(app_message.c.dead_at.desc(), app_message.c.id.desc())
    return tx.rows(newest.limit(limit).offset(offset))


def revive(tx: Tx, scope: Scope, number: int) -> bool:
    """Deliver a dead message anew; not one whose end was already told to its run."""
    # One whose end was written into a log stays dead: the run has gone on without it, and cannot be replayed
    # with it.
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
    # Pairs, in one statement: the lease of one message must not be prolonged under the fence of another.
    return tuple_(app_message.c.id, app_message.c.fence).in_(list(held))


def _next_app(tx: Tx, after: ColumnElement[Any]) -> ColumnElement[Any]:
    following = select(app_message.c.app).where(_open(tx), app_message.c.app > after)
    return following.order_by(app_message.c.app).limit(1).scalar_subquery()
