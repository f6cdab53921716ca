"""Webhook deliveries: one row for each endpoint and event, written in the transaction of the event."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, or_, select, update

from app.domain.ids import new_id
from app.record.session import Tx
from app.record.tables import delivery, subscription

TOLD = frozenset(
    {
        "run.created",
        "run.started",
        "run.completed",
        "run.failed",
        "run.cancelled",
        "run.compensating",
        "run.compensated",
        "step.completed",
        "step.failed",
        "step.retrying",
    }
)


GRACE_MS = 1_000  # The message of a fresh delivery gets this long before it counts as lost.
RING_AGAIN_MS = 30_000


def fan_out(tx: Tx, run_id: str, events: Sequence[dict[str, Any]]) -> list[str]:
    """Write a delivery for each endpoint that subscribed to one of these events; returns their ids."""
    told = [event for event in events if event["type"] in TOLD and event["phase"] != "comp"]
    if not told:
        return []
    where = (
        subscription.c.tenant_id == tx.tenant,
        subscription.c.event.in_({event["type"] for event in told}),
        or_(subscription.c.run_id == "", subscription.c.run_id == run_id),
    )
    wanted = tx.rows(select(subscription.c.event, subscription.c.webhook_id).where(*where))
    rows = [
        {
            "tenant_id": tx.tenant,
            "id": new_id("msg"),
            "webhook_id": one["webhook_id"],
            "run_id": run_id,
            "seq": event["seq"],
            "event": event["type"],
            "status": "pending",
            "next_at": tx.now,
            "created_at": tx.now,
        }
        for event in told
        for one in wanted
        if one["event"] == event["type"]
    ]
    if rows:
        tx.execute(insert(delivery), rows)
    return [row["id"] for row in rows]


def ring_due(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Deliveries to ring for: due and not rung lately, or held by a worker that was lost.

    A delivery that was rung is put off a little, so that a long queue is not rung for in every pass.
    """
    lost = (delivery.c.status == "delivering") & (delivery.c.lease_until < tx.now)
    waiting = (delivery.c.status == "pending") & (delivery.c.next_at < tx.now - GRACE_MS)
    where = (delivery.c.tenant_id == tx.tenant, or_(lost, waiting))
    columns = (delivery.c.id, delivery.c.fence)
    found = tx.rows(select(*columns).where(*where).order_by(delivery.c.next_at).limit(limit))
    if found:
        ids = [row["id"] for row in found]
        put_off = {"next_at": tx.now + RING_AGAIN_MS, "status": "pending"}
        tx.execute(
            update(delivery)
            .where(delivery.c.tenant_id == tx.tenant, delivery.c.id.in_(ids))
            .values(**put_off)
        )
    return found
