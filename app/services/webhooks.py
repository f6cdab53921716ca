"""Webhook endpoints: make, change, rotate, test, redeliver (contracts/runs.rst#webhooks)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from app.auth.keys import Principal
from app.domain.errors import Conflict, NotFound, PreconditionFailed, QuotaExceeded
from app.domain.events import TOLD
from app.domain.ids import new_id
from app.record.service import deliveries
from app.record.service import webhooks as rows
from app.record.session import Tx
from app.services import audit, signing_secrets
from app.services.context import AppContext
from app.services.webhook_payload import TEST
from app.webhooks import filter as patterns
from app.webhooks.guard import Allow, judge, resolve, within
from chains.messages import DeliveryMessage

log = structlog.get_logger(__name__)
Row = dict[str, Any]
MOST_ENDPOINTS = 100
OVERLAP_MS = 24 * 3_600_000  # How long the old secret signs beside the new one.
RESOLVE_S = 5.0


def create(world: AppContext, principal: Principal, values: Mapping[str, Any]) -> tuple[Row, str]:
    """Make an endpoint; its secret is returned once and stored sealed.

    Raises `ValidationFailed` on ``url`` or ``events``, `QuotaExceeded` at 100 endpoints.
    """
    wanted = patterns.validate(values["events"])
    _judge(world, values["url"])
    webhook_id = new_id("whk")
    secret, sealed = signing_secrets.fresh(world, webhook_id)
    row = {
        "id": webhook_id,
        "url": values["url"],
        "description": values.get("description"),
        "events": list(wanted),
        "active": values.get("active", True),
        "secret": sealed,
    }

    def work(tx: Tx) -> Row:
        if rows.count_webhooks(tx) >= MOST_ENDPOINTS:
            raise QuotaExceeded(f"There are {MOST_ENDPOINTS} endpoints already", limit=MOST_ENDPOINTS)
        rows.insert_webhook(tx, row, _told(wanted) if row["active"] else ())
        made = _read(tx, webhook_id)
        audit.note(tx, principal, "webhook.create", webhook_id, after=made)
        return made

    made = world.db.write(work)
    log.info("webhook.created", webhook=webhook_id, actor=principal.actor)
    return made, secret


def get(world: AppContext, webhook_id: str) -> Row:
    """One endpoint; raises `NotFound`."""
    return world.db.read(lambda tx: _read(tx, webhook_id))


def change(
    world: AppContext,
    principal: Principal,
    webhook_id: str,
    values: Mapping[str, Any],
    version: int | None = None,
) -> Row:
    """Change an endpoint; switching it on forgets why it was switched off.

    Raises `NotFound`, `ValidationFailed`, and `PreconditionFailed` when it is at another version.
    """
    changes = {name: values[name] for name in ("url", "description", "active") if name in values}
    wanted = patterns.validate(values["events"]) if "events" in values else None
    if "url" in changes:
        _judge(world, changes["url"])
    if changes.get("active"):
        changes |= {"disabled_reason": None, "failing_since": None}

    def work(tx: Tx) -> Row:
        row = _lock(tx, webhook_id)
        if version not in (None, row["version"]):
            raise PreconditionFailed(f"It is at version {row['version']} by now.", current=row["version"])
        if wanted is not None:
            changes["events"] = list(wanted)
        now = {**row, **changes}
        rows.resubscribe(tx, webhook_id, _told(now["events"]) if now["active"] else ())
        rows.change_webhook(tx, webhook_id, changes)
        changed = _read(tx, webhook_id)
        audit.note(tx, principal, "webhook.change", webhook_id, before=row, after=changed)
        return changed

    changed = world.db.write(work)
    log.info("webhook.changed", webhook=webhook_id, actor=principal.actor, fields=sorted(values))
    return changed


def delete(world: AppContext, principal: Principal, webhook_id: str) -> None:
    """Delete an endpoint with its deliveries; raises `NotFound`."""

    def work(tx: Tx) -> None:
        row = rows.read_webhook(tx, webhook_id)
        if row is None or not rows.delete_webhook(tx, webhook_id):
            raise _unknown(webhook_id)
        audit.note(tx, principal, "webhook.delete", webhook_id, before=row)

    world.db.write(work)
    log.info("webhook.deleted", webhook=webhook_id, actor=principal.actor)


def rotate(world: AppContext, principal: Principal, webhook_id: str) -> tuple[Row, str]:
    """Give an endpoint a new secret, returned once; for 24 hours the old one signs as well."""
    secret, sealed = signing_secrets.fresh(world, webhook_id)

    def work(tx: Tx) -> Row:
        row = _lock(tx, webhook_id)
        new = {"secret": sealed, "old_secret": row["secret"], "old_until": tx.now + OVERLAP_MS}
        rows.change_webhook(tx, webhook_id, new)
        audit.note(tx, principal, "webhook.rotate", webhook_id, after={"old_until": new["old_until"]})
        return _read(tx, webhook_id)

    rotated = world.db.write(work)
    log.info("webhook.rotated", webhook=webhook_id, actor=principal.actor)
    return rotated, secret


def test(world: AppContext, principal: Principal, webhook_id: str) -> Row:
    """Send the event ``webhook.test``; returns the delivery, which is under way."""

    def work(tx: Tx) -> Row:
        _active(tx, webhook_id)
        audit.note(tx, principal, "webhook.test", webhook_id)
        return deliveries.add_delivery(tx, webhook_id, TEST)

    return _sent(world, work)


def redeliver(world: AppContext, principal: Principal, webhook_id: str, delivery_id: str) -> Row:
    """Send a delivery again under its own id, however it ended; one that is being sent just now stays so.

    Raises `NotFound`, and `Conflict` while the endpoint is switched off.
    """

    def work(tx: Tx) -> Row:
        _active(tx, webhook_id)
        row = deliveries.lock_delivery(tx, delivery_id)
        if row is None or row["webhook_id"] != webhook_id:
            raise NotFound(f"There is no delivery {delivery_id} of {webhook_id}")
        if row["status"] == "delivering":
            return row
        anew = {"status": "pending", "tries": 0, "fence": row["fence"] + 1, "next_at": tx.now}
        audit.note(tx, principal, "webhook.redeliver", webhook_id, after={"delivery": delivery_id})
        deliveries.change_delivery(tx, delivery_id, {**anew, "put_off": False, "delivered_at": None})
        return {**row, **anew, "delivered_at": None}

    return _sent(world, work)


def _sent(world: AppContext, work: Callable[[Tx], Row]) -> Row:
    row = world.db.write(work)
    if row["status"] == "pending":
        world.publish([DeliveryMessage(delivery_id=row["id"], fence=row["fence"])])
    return row


def _judge(world: AppContext, url: str) -> None:
    judge(url, Allow.of(world.settings), within(RESOLVE_S, resolve))


def _told(wanted: Iterable[str]) -> list[str]:
    """The events that patterns stand for."""
    kept = tuple(wanted)
    return [event for event in TOLD if patterns.matches(kept, event)]


def _read(tx: Tx, webhook_id: str) -> Row:
    row = rows.read_webhook(tx, webhook_id)
    if row is None:
        raise _unknown(webhook_id)
    return row


def _lock(tx: Tx, webhook_id: str) -> Row:
    row = rows.read_webhook(tx, webhook_id, lock=True)
    if row is None:
        raise _unknown(webhook_id)
    if row["run_id"] is not None:
        raise Conflict("This endpoint belongs to one run and cannot be changed", run=row["run_id"])
    return row


def _active(tx: Tx, webhook_id: str) -> None:
    if not _read(tx, webhook_id)["active"]:
        raise Conflict("The endpoint is switched off: switch it on first", webhook=webhook_id)


def _unknown(webhook_id: str) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id}")
