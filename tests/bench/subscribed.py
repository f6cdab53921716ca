"""Subscriptions to events that a burst does not have: a webhook of failures, the callback of an ended run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import select

from app.config import load
from app.record.service import webhooks
from app.record.session import Database, Tx
from app.record.tables import run

ENDPOINT = {"url": "https://receiver.invalid/", "active": True, "secret": "sealed"}
ALARMS = ("run.failed", "run.held", "run.blocked", "run.needs_operator")
CALLBACK = ("run.started", *ALARMS, "run.completed", "run.cancelled")


@contextmanager
def subscribed(env: Mapping[str, str]) -> Iterator[None]:
    """Both subscriptions for a while, in the database of a candidate of ours."""
    db = Database(load(env).database)
    try:
        db.write(_subscribe)
        yield
        db.write(lambda tx: [webhooks.delete_webhook(tx, id_) for id_ in ("whk_alarms", "whk_old")])
    finally:
        db.dispose()


def _subscribe(tx: Tx) -> None:
    ended = select(run.c.id).where(run.c.tenant_id == tx.tenant, run.c.status == "completed").limit(1)
    alarms = {**ENDPOINT, "id": "whk_alarms", "events": list(ALARMS)}
    old = {**ENDPOINT, "id": "whk_old", "events": list(CALLBACK), "run_id": tx.value(ended)}
    webhooks.insert_webhook(tx, alarms, ALARMS)
    webhooks.insert_webhook(tx, old, CALLBACK)
