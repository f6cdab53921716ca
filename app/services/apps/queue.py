"""The queue of apps for clients and operators: add a message, list open and dead ones, retry a dead one."""

import json
from dataclasses import dataclass
from typing import Any

from app.domain.apps.decide import stamp
from app.domain.apps.envelope import Envelope
from app.domain.apps.refusal import Refused, bad
from app.domain.apps.slots import message_id
from app.domain.apps.words import QUEUE
from app.record.apps import message_statements, messages
from app.record.apps.messages import NewMessage
from app.record.apps.scope import Scope
from app.record.session import Database
from app.services.apps import admission
from app.services.context import AppContext
from chains.messages import WakeUp

DEAD_LETTERS, MOST_DEAD_LETTERS = 50, 200


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """The message that was added, and its due time if it is delayed."""

    number: int
    due_at: int | None


def enqueue(world: AppContext, app: str, asked: Envelope) -> Enqueued:
    """Add a message and wake the dispatchers; raises `Refused` over the quota, and for a used key."""
    admission.admit_message(world.db, app)
    message = NewMessage(
        queue=asked.queue,
        payload=asked.message,
        cbor=asked.cbor,
        run_id=asked.run_id,
        version=asked.version,
        key=asked.key,
        delay_ms=asked.delay_ms,
    )
    number, now = _add(world.db, app, message)
    if number is None:
        used = f"Idempotency key {asked.key} already processed"
        raise Refused(409, used, code="WF_DUPLICATE_IDEMPOTENCY_KEY")
    # After the commit. It may be lost: each dispatcher polls once a second as well.
    tell(world)
    return Enqueued(number=number, due_at=now + asked.delay_ms if asked.delay_ms else None)


def _add(db: Database, app: str, message: NewMessage) -> tuple[int | None, int]:
    if message_statements.works(db):
        return message_statements.add(db, Scope(tenant=db.tenant, app=app), message)
    return db.write(lambda tx: (messages.add(tx, Scope.of(tx, app), message), tx.now))


def tell(world: AppContext) -> None:
    """Wake the dispatchers, so that they claim what is due and learn the next due time."""
    world.publish([WakeUp(queue=QUEUE)])


def dead_letters(
    db: Database, app: str, *, queue: str | None, limit: int, offset: int
) -> tuple[list[dict[str, object]], bool]:
    """A page of dead messages as the API shows them, and whether there are more."""
    rows = db.read(
        lambda tx: messages.dead_letters(tx, Scope.of(tx, app), queue, limit=limit + 1, offset=offset)
    )
    return [_shown(row) for row in rows[:limit]], len(rows) > limit


def open_messages(
    db: Database, app: str, *, run_id: str | None, limit: int, offset: int
) -> tuple[list[dict[str, object]], bool]:
    """A page of messages still to be delivered, without their payloads, and whether there are more."""
    rows = db.read(
        lambda tx: messages.open_messages(tx, Scope.of(tx, app), run_id, limit=limit + 1, offset=offset)
    )
    return [_open(row) for row in rows[:limit]], len(rows) > limit


def retry(world: AppContext, app: str, number: int) -> None:
    """Make a dead message due again; raises `Refused` (404) when there is none that may be retried."""
    if not world.db.write(lambda tx: messages.revive(tx, Scope.of(tx, app), number)):
        raise bad("message not found, not dead, or failure already finalized")
    tell(world)


def _open(row: dict[str, Any]) -> dict[str, object]:
    shown = _shown({**row, "payload": None})
    left_out = ("payload", "idempotencyKey", "deadAt", "failureFinalizedAt")
    return {
        **{name: value for name, value in shown.items() if name not in left_out},
        "dueAt": _at(row["due_at"]),
    }


def _shown(row: dict[str, Any]) -> dict[str, object]:
    return {
        "messageId": message_id(row["id"]),
        "idempotencyKey": row["key"],
        "queueName": row["queue"],
        "runId": row["run_id"],
        "deploymentVersion": row["version"],
        "payload": None if row["cbor"] or row["payload"] is None else json.loads(row["payload"]),
        "attempts": row["attempts"],
        "lastFailure": None if row["failure"] is None else json.loads(row["failure"]),
        "deadAt": _at(row["dead_at"]),
        "failureFinalizedAt": _at(row["finalized_at"]),
        "createdAt": _at(row["created_at"]),
    }


def _at(moment: int | None) -> str | None:
    return None if moment is None else stamp(moment)
