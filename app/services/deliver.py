"""Deliver a webhook: claim the delivery, post it, settle it under the same fence.

1. Claim: the message's fence must be the row's. The fence grows, the attempt is counted and becomes a row.
2. Post: outside any transaction, for at most 20 seconds of the lease.
3. Settle: delivered, pending until the next attempt of the schedule, or dead. A worker that counted as lost
   finds another fence and changes nothing; the row of its attempt stays.

The first message comes from the transaction of the event; later ones come from the reconciler, which reads
in SQL what is due. An endpoint gets two deliveries at a time, and one while it is failing, so that a slow
receiver does not occupy every worker. Further deliveries are put off; a worker that has settled one
publishes messages for those that were put off longest. Claims and settlements of one endpoint lock its row,
one after the other, so that no delivery is put off because of one that has just ended.
"""

import random
from dataclasses import dataclass
from typing import Any

import structlog

from app.auth.seal import SealRefused
from app.config import SettingsError
from app.domain.errors import Contended
from app.record.service import deliveries, webhooks
from app.record.session import Tx
from app.services import signing_secrets
from app.services.context import AppContext
from app.services.webhook_payload import body_of
from app.webhooks import send
from app.webhooks.guard import Allow
from app.webhooks.schedule import SCHEDULE_MS, next_delay
from app.webhooks.send import Attempt
from app.webhooks.signing import sign
from chains.messages import DeliveryMessage

log = structlog.get_logger(__name__)
Row = dict[str, Any]
LEASE_MS = 60_000  # Three times what an attempt can take.
MOST_UNDER_WAY = 2  # Deliveries to an endpoint at a time;
MOST_WHILE_FAILING = 1
PUT_OFF_MS = 10_000  # How long a delivery waits for those under way, unless one of them ends before.
MOST_PUT_OFF = 1_000  # At a time, of an endpoint whose row somebody holds.
CLAIM_PATIENCE_S = 1.0
SETTLE_PATIENCE_S = 60.0
GONE = "the endpoint answered 410 Gone"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that this worker alone may settle."""

    id: str
    webhook_id: str
    url: str
    body: str
    secrets: list[tuple[str, str]]  # Sealed, each with the id of its owner.
    attempt: int
    tries: int
    fence: int
    at: int  # When the attempt began, by the database's clock.


def deliver(world: AppContext, delivery_id: str, fence: int) -> str:
    """Make one attempt; returns in a word how it ended. A message that is late or doubled is dropped."""
    try:
        claimed = world.db.write(lambda tx: claim(tx, delivery_id, fence), patience_s=CLAIM_PATIENCE_S)
    except Contended:
        claimed = world.db.write(lambda tx: put_off(tx, delivery_id))
    if isinstance(claimed, str):
        return claimed
    made = attempt(world, claimed)
    word, following = world.db.write(
        lambda tx: (settle(tx, claimed, made), next_deliveries(tx, claimed.webhook_id)),
        patience_s=SETTLE_PATIENCE_S,
    )
    world.publish(following)
    log.info(
        "webhook.attempted", delivery=delivery_id, attempt=claimed.attempt, status=made.status, word=word
    )
    return word


def claim(tx: Tx, delivery_id: str, fence: int) -> Claimed | str:
    """Take a delivery on, or say in a word why not."""
    known = deliveries.look(tx, delivery_id)
    if known is None:
        return "dropped"
    if known["put_off"] and known["next_at"] > tx.now:
        return "put off"
    endpoint = webhooks.read_webhook(tx, known["webhook_id"], lock=True)
    row = deliveries.lock_delivery(tx, delivery_id)
    if endpoint is None:
        deliveries.forget(tx, delivery_id)
        return "dropped"
    if row is None or row["fence"] != fence or row["status"] != "pending":
        return "dropped"
    if row["tries"] >= len(SCHEDULE_MS):
        return _die(tx, row)
    if not endpoint["active"]:
        return _refuse(tx, row)
    if _room(tx, endpoint) <= 0:
        put_off = {"next_at": tx.now + PUT_OFF_MS, "put_off": True}
        deliveries.change_delivery(tx, row["id"], put_off)
        return "put off"
    taken = {
        "status": "delivering",
        "fence": row["fence"] + 1,
        "attempt": row["attempt"] + 1,
        "tries": row["tries"] + 1,
        "body": row["body"] or body_of(tx, row),
        "lease_until": tx.now + LEASE_MS,
        "put_off": False,
    }
    deliveries.change_delivery(tx, row["id"], taken)
    deliveries.begin_attempt(tx, row["id"], taken["attempt"])
    return _claimed(tx, {**row, **taken}, endpoint)


def put_off(tx: Tx, delivery_id: str) -> str:
    """The endpoint's row is locked: put off all its due deliveries, so that no worker waits for it."""
    known = deliveries.look(tx, delivery_id)
    if known is not None:
        deliveries.put_off(tx, known["webhook_id"], tx.now + PUT_OFF_MS, MOST_PUT_OFF)
    return "put off"


def attempt(world: AppContext, claimed: Claimed) -> Attempt:
    """Sign and post; the signature's time is the attempt's."""
    try:
        secrets = signing_secrets.opened(world, claimed.secrets)
    except (SealRefused, SettingsError) as error:
        log.error("webhook.sealed", webhook=claimed.webhook_id, error=error.message)
        return Attempt(latency_ms=0, error="the secret of the endpoint cannot be opened", verdict="retry")
    body = claimed.body.encode()
    headers = sign(secrets, claimed.id, claimed.at // 1000, body)
    return send.deliver(claimed.url, Allow.of(world.settings), headers, body)


def settle(tx: Tx, claimed: Claimed, made: Attempt) -> str:
    """Store the result of an attempt; returns delivered, retry, dead or late."""
    webhooks.read_webhook(tx, claimed.webhook_id, lock=True)
    facts = {
        "status": made.status,
        "latency_ms": made.latency_ms,
        "answer": made.answer,
        "error": made.error,
    }
    deliveries.end_attempt(tx, claimed.id, claimed.attempt, facts)
    row = deliveries.lock_delivery(tx, claimed.id)
    if row is None or row["fence"] != claimed.fence:
        return "late"
    if made.verdict == "delivered":
        webhooks.recovered(tx, claimed.webhook_id)
        return _end(tx, row, "delivered", delivered_at=tx.now)
    webhooks.failing(tx, claimed.webhook_id)
    if made.verdict == "gone":
        off = {"active": False, "disabled_reason": GONE}
        webhooks.change_webhook(tx, claimed.webhook_id, off)
        webhooks.resubscribe(tx, claimed.webhook_id, ())
        return _end(tx, row, "dead")
    pause = next_delay(claimed.tries, random.random, made.retry_after_ms)
    if pause is None:
        return _end(tx, row, "dead")
    # The fence grows here too: a message that was sent because this worker seemed lost is void.
    again = {"status": "pending", "next_at": tx.now + pause, "lease_until": None, "fence": row["fence"] + 1}
    deliveries.change_delivery(tx, claimed.id, again)
    return "retry"


def next_deliveries(tx: Tx, webhook_id: str) -> list[DeliveryMessage]:
    """What has to be published for now that a delivery to this endpoint has ended."""
    endpoint = webhooks.read_webhook(tx, webhook_id, lock=True)
    if endpoint is None or endpoint["failing_since"] is not None:  # Then each waits for its own time.
        return []
    room = _room(tx, endpoint)
    found = deliveries.next_in_line(tx, webhook_id, room) if room > 0 else []
    return [DeliveryMessage(delivery_id=one["id"], fence=one["fence"]) for one in found]


def _room(tx: Tx, endpoint: Row) -> int:
    """How many deliveries to an endpoint may begin."""
    most = MOST_UNDER_WAY if endpoint["failing_since"] is None else MOST_WHILE_FAILING
    return most - deliveries.under_way(tx, endpoint["id"])


def _claimed(tx: Tx, row: Row, endpoint: Row) -> Claimed:
    return Claimed(
        id=row["id"],
        webhook_id=endpoint["id"],
        url=endpoint["url"],
        body=row["body"],
        secrets=signing_secrets.in_force(tx, endpoint),
        attempt=row["attempt"],
        tries=row["tries"],
        fence=row["fence"],
        at=tx.now,
    )


def _end(tx: Tx, row: Row, status: str, **facts: Any) -> str:
    over = {"status": status, "next_at": None, "lease_until": None}
    deliveries.change_delivery(tx, row["id"], {**over, **facts})
    webhooks.end_callback(tx, row["webhook_id"])
    return status


def _die(tx: Tx, row: Row) -> str:
    """The worker of the last attempt was lost."""
    deliveries.lose_attempts(tx, row["id"])
    return _end(tx, row, "dead")


def _refuse(tx: Tx, row: Row) -> str:
    """End a delivery to an endpoint that was switched off; its attempt says so."""
    number = row["attempt"] + 1
    deliveries.begin_attempt(tx, row["id"], number)
    deliveries.end_attempt(tx, row["id"], number, {"error": "the endpoint is switched off"})
    return _end(tx, row, "dead", attempt=number)
