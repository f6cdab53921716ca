"""Endpoints of webhooks and what each of them is told of."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, update

from app.record.session import Tx
from app.record.tables import api_key, delivery, run, subscription, webhook

Row = dict[str, Any]


def insert_webhook(tx: Tx, values: Mapping[str, Any], events: Iterable[str]) -> None:
    """Store an endpoint with the events that it is told of, spelled out."""
    tx.execute(
        insert(webhook), {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values}
    )
    _subscribe(tx, values["id"], values.get("run_id"), events)


def read_webhook(tx: Tx, webhook_id: str, *, lock: bool = False) -> Row | None:
    """An endpoint, locked until the transaction ends when asked for."""
    found = select(webhook).where(webhook.c.tenant_id == tx.tenant, webhook.c.id == webhook_id)
    return tx.row(found.with_for_update(key_share=True) if lock else found)


def callback_of(tx: Tx, run_id: str) -> Row | None:
    """The endpoint that is told of this run alone."""
    return tx.row(select(webhook).where(webhook.c.tenant_id == tx.tenant, webhook.c.run_id == run_id))


def count_webhooks(tx: Tx) -> int:
    """How many endpoints there are, callbacks of single runs left out."""
    where = (webhook.c.tenant_id == tx.tenant, webhook.c.run_id.is_(None))
    return int(tx.value(select(func.count()).where(*where)))


def change_webhook(tx: Tx, webhook_id: str, changes: Mapping[str, Any]) -> None:
    """Change an endpoint; its version grows."""
    values = {**changes, "version": webhook.c.version + 1, "updated_at": tx.now}
    tx.execute(update(webhook).where(*_one(tx, webhook_id)).values(**values))


def resubscribe(tx: Tx, webhook_id: str, events: Iterable[str]) -> None:
    """Tell an endpoint of these events from now on, and of no others."""
    where = (subscription.c.tenant_id == tx.tenant, subscription.c.webhook_id == webhook_id)
    tx.execute(delete(subscription).where(*where))
    _subscribe(tx, webhook_id, None, events)


def end_callback(tx: Tx, webhook_id: str) -> None:
    """Unsubscribe the callback of a run that has ended once nothing is left to deliver to it."""
    told = subscription
    ended = exists().where(
        run.c.tenant_id == tx.tenant, run.c.id == told.c.run_id, run.c.completed_at.is_not(None)
    )
    open_ = exists().where(
        delivery.c.tenant_id == tx.tenant,
        delivery.c.webhook_id == webhook_id,
        delivery.c.status.in_(("pending", "delivering")),
    )
    # Only when the run has ended and nothing is left to deliver: a subscription that stays costs each
    # transition of its run a look.
    where = (told.c.tenant_id == tx.tenant, told.c.webhook_id == webhook_id, told.c.run_id != "")
    tx.execute(delete(told).where(*where, ended, ~open_))


def delete_webhook(tx: Tx, webhook_id: str) -> bool:
    """Delete an endpoint with its deliveries; false when there is none."""
    mine = (delivery.c.tenant_id == tx.tenant, delivery.c.webhook_id == webhook_id)
    tx.execute(delete(delivery).where(*mine))
    return tx.execute(delete(webhook).where(*_one(tx, webhook_id))).rowcount == 1


def failing(tx: Tx, webhook_id: str) -> None:
    """An attempt has failed: remember since when."""
    where = (*_one(tx, webhook_id), webhook.c.failing_since.is_(None))
    tx.execute(update(webhook).where(*where).values(failing_since=tx.now))


def recovered(tx: Tx, webhook_id: str) -> None:
    """An attempt has succeeded."""
    where = (*_one(tx, webhook_id), webhook.c.failing_since.is_not(None))
    tx.execute(update(webhook).where(*where).values(failing_since=None))


def sealed_secrets(tx: Tx) -> list[Row]:
    """Every endpoint's sealed secrets, for rotation of the sealing keys."""
    columns = (webhook.c.id, webhook.c.secret, webhook.c.old_secret)
    return tx.rows(select(*columns).where(webhook.c.tenant_id == tx.tenant))


def replace_secret(tx: Tx, webhook_id: str, column: str, old: str, new: str) -> bool:
    """Replace a sealed secret unless it was changed meanwhile."""
    where = (*_one(tx, webhook_id), webhook.c[column] == old)
    return tx.execute(update(webhook).where(*where).values({column: new})).rowcount == 1


def key_secrets(tx: Tx, key_id: str | None = None) -> list[Row]:
    """The sealed callback secrets of one API key, or of all, revoked ones too."""
    where = [api_key.c.tenant_id == tx.tenant, api_key.c.callback_secret.is_not(None)]
    if key_id is not None:
        where.append(api_key.c.id == key_id)
    return tx.rows(select(api_key.c.id, api_key.c.callback_secret).where(*where))


def key_that_signs(tx: Tx, name: str) -> str | None:
    """The API key of this name that is in force and has a callback secret."""
    where = (
        api_key.c.tenant_id == tx.tenant,
        api_key.c.name == name,
        api_key.c.revoked_at.is_(None),
        api_key.c.callback_secret.is_not(None),
    )
    found: str | None = tx.value(select(api_key.c.id).where(*where))
    return found


def replace_key_secret(tx: Tx, key_id: str, old: str, new: str) -> bool:
    """Replace the sealed callback secret of an API key unless it was changed meanwhile."""
    where = (api_key.c.tenant_id == tx.tenant, api_key.c.id == key_id, api_key.c.callback_secret == old)
    return tx.execute(update(api_key).where(*where).values(callback_secret=new)).rowcount == 1


def _subscribe(tx: Tx, webhook_id: str, run_id: str | None, events: Iterable[str]) -> None:
    rows = [
        {"tenant_id": tx.tenant, "event": event, "webhook_id": webhook_id, "run_id": run_id or ""}
        for event in events
    ]
    if rows:
        tx.execute(insert(subscription), rows)


def _one(tx: Tx, webhook_id: str) -> tuple[Any, ...]:
    return (webhook.c.tenant_id == tx.tenant, webhook.c.id == webhook_id)
