"""A receiver that is slow holds two workers at most; what is sent to it in addition waits for those two."""

import time
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import delete

from app.auth.keys import LOCAL
from app.record.session import Database
from app.record.tables import delivery, subscription, webhook
from app.services import deliver as service
from app.services import webhooks
from app.webhooks.send import Attempt
from app.wiring import LIMITS
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig

SENT = Attempt(status=200, latency_ms=10_000, answer="noted", verdict="delivered")
FAILED = Attempt(status=500, latency_ms=10_000, error="answered 500", verdict="retry")


def test_an_endpoint_gets_two_deliveries_at_a_time(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "step.completed")
    rig.ran()
    rig.claim(), rig.claim()
    assert rig.deliver() == ["put off"] * (len(rig.deliveries) - 2)
    assert to.received == []


def test_another_endpoint_is_told_meanwhile(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "step.completed")
    rig.ran()
    rig.claim(), rig.claim()
    rig.deliver()
    other = rig.endpoint(to.url, "run.completed")
    rig.ran()
    rig.deliver()
    told = rig.rows(delivery, delivery.c.webhook_id == other.id)
    assert [row["status"] for row in told] == ["delivered"]


def test_whoever_has_delivered_publishes_what_was_put_off_longest(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "step.completed")
    rig.ran()
    first, _second = rig.claim(), rig.claim()
    rig.deliver()
    assert rig.settle(first, SENT) == "delivered"
    following = rig.world.db.write(lambda tx: service.next_deliveries(tx, made.id))
    assert [one.delivery_id for one in following] == [rig.deliveries[2]["id"]]
    rig.driver.publish(following)
    assert rig.deliver() == ["delivered"]


def test_all_that_was_put_off_is_delivered_without_waiting(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "step.completed")
    rig.ran()
    claimed = [rig.claim(), rig.claim()]
    rig.deliver()
    for one in claimed:
        rig.settle(one, SENT)
    rig.driver.publish(rig.world.db.write(lambda tx: service.next_deliveries(tx, claimed[0].webhook_id)))
    rig.deliver()
    assert {row["status"] for row in rig.deliveries} == {"delivered"}


def test_an_endpoint_that_fails_gets_one_at_a_time_and_no_hurry(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "step.completed")
    rig.ran()
    first, _second = rig.claim(), rig.claim()
    rig.settle(first, FAILED)
    assert set(rig.deliver()) == {"put off"}
    assert rig.world.db.write(lambda tx: service.next_deliveries(tx, made.id)) == []


def test_an_endpoint_that_is_switched_off_is_nobodys_concern(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    webhooks.change(rig.world, LOCAL, made.id, {"active": False})
    assert rig.rows(subscription) == []
    webhooks.change(rig.world, LOCAL, made.id, {"active": True})
    assert [row["event"] for row in rig.rows(subscription)] == ["run.completed"]


def test_an_endpoint_that_answers_gone_is_unsubscribed(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.completed")
    to.say(410)
    rig.ran()
    assert rig.deliver() == ["dead"]
    assert rig.rows(subscription) == []


@pytest.mark.postgres
@pytest.mark.parametrize("rig", ["postgres"], indirect=True)
def test_an_endpoint_that_somebody_holds_keeps_one_worker_for_a_moment(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "step.completed")
    for _ in range(6):
        rig.ran()
    known = rig.world.db
    limited = Database(str(known.url), known.tenant, limits=LIMITS["worker"])
    with psycopg.connect(str(known.url.set(drivername="postgresql"))) as stranger:
        stranger.execute("SELECT id FROM webhook FOR UPDATE")
        began = time.monotonic()
        words = replace(rig, world=replace(rig.world, db=limited)).deliver()
        took = time.monotonic() - began
    limited.dispose()
    assert words == ["put off"] * 18
    assert took < 9 * LIMITS["worker"].lock_ms / 1000  # Most of them waited for nobody.
    rig.come_due()
    assert set(rig.deliver()) == {"delivered"}


def test_what_was_written_for_an_endpoint_that_is_gone_is_forgotten(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    rig.world.db.write(lambda tx: tx.execute(delete(subscription)))
    rig.world.db.write(lambda tx: tx.execute(delete(webhook).where(webhook.c.id == made.id)))
    assert set(rig.deliver()) <= {"dropped"}
    assert rig.rows(delivery) == []
