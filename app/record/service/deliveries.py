"""Webhook deliveries: one row for each endpoint and event, written in the transaction of the event.

1. `fan_out` writes a row for each endpoint that subscribed, with the event or not at all (I12).
2. After the commit a message is published. A row whose message was lost is found by its time (`due_again`).
3. A worker claims the row under the lock of its endpoint and a growing fence, at most so many an endpoint at
   a time. What finds no room is put off; whoever settles one takes the next in line.
4. A worker that dies leaves a row whose lease ends. Its attempt is noted as lost, and the row is due again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, or_, select, text, update

from app.domain.events import QUIET, may_be_told, told_types
from app.domain.ids import new_id
from app.domain.rows.runs import EventRow
from app.record.session import Tx
from app.record.tables import delivery, delivery_attempt, run, subscription, webhook

Row = dict[str, Any]
GRACE_MS = 1_000  # The message of a fresh delivery gets this long before it counts as lost.
RING_AGAIN_MS = 30_000
OLDEST = 1_000  # Deliveries that are deleted in one pass.
LOST = "the worker was lost before the outcome was known"


def fan_out(tx: Tx, run_id: str, events: Sequence[EventRow]) -> list[str]:
    """Write a delivery for each endpoint that subscribed to one of these events; returns their ids."""
    types = told_types(events)
    if not types:
        return []
    told = [event for event in events if may_be_told(event)]
    wanted = _subscribers(tx, run_id, types)
    rows = [
        _fresh(tx, one["webhook_id"], event["type"], run_id=run_id, seq=event["seq"])
        for event in told
        for one in wanted
        if one["event"] == event["type"]
    ]
    if rows:
        tx.execute(insert(delivery), rows)
    return [row["id"] for row in rows]


def add_delivery(tx: Tx, webhook_id: str, event: str) -> Row:
    """Write a delivery to one endpoint of something that no run did."""
    row = _fresh(tx, webhook_id, event, run_id=None, seq=None)
    tx.execute(insert(delivery), row)
    return {**row, "attempt": 0, "fence": 0, "delivered_at": None}


def announce(tx: Tx, event: str, body: str) -> int:
    """Write a delivery of something that no run of ours did for each endpoint that subscribed; how many."""
    rows = [
        _fresh(tx, one["webhook_id"], event, run_id=None, seq=None) | {"body": body}
        for one in tx.rows(_listening(tx, frozenset({event})).where(subscription.c.run_id == ""))
    ]
    if rows:
        tx.execute(insert(delivery), rows)
    return len(rows)


def due_again(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Deliveries to publish for: due and not published lately, or held by a worker that was lost.

    One that was published is put off a little, so that a long queue is not published in every pass.
    """
    lost = (delivery.c.status == "delivering") & (delivery.c.lease_until < tx.now)
    waiting = (delivery.c.status == "pending") & (delivery.c.next_at < tx.now - GRACE_MS)
    where = (delivery.c.tenant_id == tx.tenant, or_(lost, waiting))
    due = select(delivery.c.id, delivery.c.fence).where(*where).order_by(delivery.c.next_at).limit(limit)
    # Rows that a worker is just settling are locked, and no longer what they were once it has.
    found = tx.rows(due.with_for_update(skip_locked=True))
    if found:
        ids = [row["id"] for row in found]
        # Also those of lost workers. Their fence stays: a result that comes late is accepted until somebody
        # has claimed the delivery anew.
        put_off = {"next_at": tx.now + RING_AGAIN_MS, "status": "pending", "put_off": False}
        tx.execute(
            update(delivery)
            .where(delivery.c.tenant_id == tx.tenant, delivery.c.id.in_(ids))
            .values(**put_off)
        )
    return found


def forget_before(tx: Tx, moment: int) -> int:
    """Delete some that are over, were written before a moment, and are about no run of ours; how many."""
    endpoints = select(webhook.c.id).where(webhook.c.tenant_id == tx.tenant)
    old = select(delivery.c.id).where(
        delivery.c.tenant_id == tx.tenant,
        delivery.c.webhook_id.in_(endpoints),  # So that the index by endpoint and time finds them.
        delivery.c.created_at < moment,
        delivery.c.run_id.is_(None),
        delivery.c.status.in_(("delivered", "dead")),
    )
    where = (delivery.c.tenant_id == tx.tenant, delivery.c.id.in_(old.limit(OLDEST).scalar_subquery()))
    return tx.execute(delete(delivery).where(*where)).rowcount


def lock_delivery(tx: Tx, delivery_id: str) -> Row | None:
    """A delivery, locked until the transaction ends."""
    return tx.row(select(delivery).where(*_one(tx, delivery_id)).with_for_update())


def look(tx: Tx, delivery_id: str) -> Row | None:
    """A delivery as it stands: its endpoint, and whether it waits until a moment."""
    columns = (delivery.c.webhook_id, delivery.c.put_off, delivery.c.next_at)
    return tx.row(select(*columns).where(*_one(tx, delivery_id)))


def forget(tx: Tx, delivery_id: str) -> None:
    """Delete a delivery whose endpoint is gone."""
    tx.execute(delete(delivery).where(*_one(tx, delivery_id)))


def put_off(tx: Tx, webhook_id: str, until: int, most: int) -> None:
    """Let what is due for an endpoint wait, but for rows that somebody holds."""
    due = select(delivery.c.id).where(
        delivery.c.tenant_id == tx.tenant,
        delivery.c.webhook_id == webhook_id,
        delivery.c.status == "pending",
        delivery.c.next_at < until,
    )
    free = due.order_by(delivery.c.next_at).limit(most).with_for_update(skip_locked=True)
    where = (delivery.c.tenant_id == tx.tenant, delivery.c.id.in_(free.scalar_subquery()))
    tx.execute(update(delivery).where(*where).values(next_at=until, put_off=True))


def change_delivery(tx: Tx, delivery_id: str, changes: Mapping[str, Any]) -> None:
    """Change a locked delivery."""
    tx.execute(update(delivery).where(*_one(tx, delivery_id)).values(**changes))


def under_way(tx: Tx, webhook_id: str) -> int:
    """How many workers are sending something to this endpoint just now."""
    where = (
        delivery.c.tenant_id == tx.tenant,
        delivery.c.webhook_id == webhook_id,
        delivery.c.status == "delivering",
        delivery.c.lease_until >= tx.now,
    )
    return int(tx.value(select(func.count()).where(*where)))


def next_in_line(tx: Tx, webhook_id: str, most: int) -> list[Row]:
    """Take the oldest deliveries that were put off out of an endpoint's line: they may be published."""
    where = (
        delivery.c.tenant_id == tx.tenant,
        delivery.c.webhook_id == webhook_id,
        delivery.c.status == "pending",
        text("put_off"),  # The very words of the index.
    )
    columns = (delivery.c.id, delivery.c.fence)
    oldest = select(*columns).where(*where).order_by(delivery.c.created_at, delivery.c.seq).limit(most)
    found = tx.rows(oldest.with_for_update(skip_locked=True))
    for row in found:
        change_delivery(tx, row["id"], {"put_off": False, "next_at": tx.now})
    return found


def begin_attempt(tx: Tx, delivery_id: str, attempt: int) -> None:
    """Note that an attempt is made."""
    # An attempt that has no end and is followed by another one was lost with its worker.
    if attempt > 1:
        lose_attempts(tx, delivery_id)
    values = {"tenant_id": tx.tenant, "delivery_id": delivery_id, "attempt": attempt, "at": tx.now}
    tx.execute(insert(delivery_attempt), values)


def lose_attempts(tx: Tx, delivery_id: str) -> None:
    """Note that attempts which never ended are lost."""
    tried = delivery_attempt
    where = (tried.c.tenant_id == tx.tenant, tried.c.delivery_id == delivery_id)
    open_ = (tried.c.status.is_(None), tried.c.error.is_(None))
    tx.execute(update(tried).where(*where, *open_).values(error=LOST))


def end_attempt(tx: Tx, delivery_id: str, attempt: int, facts: Mapping[str, Any]) -> None:
    """Note what became of an attempt: status, latency_ms, answer, error."""
    tried = delivery_attempt
    where = (
        tried.c.tenant_id == tx.tenant,
        tried.c.delivery_id == delivery_id,
        tried.c.attempt == attempt,
    )
    tx.execute(update(tried).where(*where).values(**facts))


def _quiet(tx: Tx, run_id: str) -> ColumnElement[bool]:
    """Whether a run only keeps the record: then nobody is told but who asked for this run."""
    own = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
    return exists().where(*own, run.c.type.startswith(QUIET, autoescape=True))


def _subscribers(tx: Tx, run_id: str, events: frozenset[str]) -> list[Row]:
    """Who is told of these events.

    The endpoints are not locked: whoever held the row of one would stop every run that it is told of. What is
    written for one that is being deleted goes when it is claimed.
    """
    own = subscription.c.run_id == run_id
    everybody = (subscription.c.run_id == "") & ~_quiet(tx, run_id)
    return tx.rows(_listening(tx, events).where(or_(own, everybody)))


def _listening(tx: Tx, events: frozenset[str]) -> Select[Any]:
    return (
        select(subscription.c.event, subscription.c.webhook_id)
        .join(
            webhook,
            (webhook.c.tenant_id == subscription.c.tenant_id) & (webhook.c.id == subscription.c.webhook_id),
        )
        .where(
            subscription.c.tenant_id == tx.tenant,
            subscription.c.event.in_(sorted(events)),
            webhook.c.active.is_(True),
        )
        .order_by(webhook.c.id)
    )


def _fresh(tx: Tx, webhook_id: str, event: str, *, run_id: str | None, seq: int | None) -> Row:
    return {
        "tenant_id": tx.tenant,
        "id": new_id("dlv"),
        "webhook_id": webhook_id,
        "run_id": run_id,
        "seq": seq,
        "event": event,
        "status": "pending",
        "next_at": tx.now,
        "created_at": tx.now,
    }


def _one(tx: Tx, delivery_id: str) -> tuple[Any, ...]:
    return (delivery.c.tenant_id == tx.tenant, delivery.c.id == delivery_id)
