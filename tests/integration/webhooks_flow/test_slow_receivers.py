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
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office

SENT = Attempt(status=200, latency_ms=10_000, answer="noted", verdict="delivered")
FAILED = Attempt(status=500, latency_ms=10_000, error="answered 500", verdict="retry")


def test_an_endpoint_gets_two_deliveries_at_a_time(office: Office, to: Box) -> None:
    office.endpoint(to.url, "step.completed")
    office.ran()
    office.claim(), office.claim()
    assert office.deliver() == ["put off"] * (len(office.deliveries) - 2)
    assert to.mail == []


def test_another_endpoint_is_told_meanwhile(office: Office, to: Box) -> None:
    office.endpoint(to.url, "step.completed")
    office.ran()
    office.claim(), office.claim()
    office.deliver()
    other = office.endpoint(to.url, "run.completed")
    office.ran()
    office.deliver()
    told = office.rows(delivery, delivery.c.webhook_id == other.id)
    assert [row["status"] for row in told] == ["delivered"]


def test_whoever_has_delivered_rings_for_what_was_put_off_longest(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "step.completed")
    office.ran()
    first, _second = office.claim(), office.claim()
    office.deliver()
    assert office.settle(first, SENT) == "delivered"
    following = office.world.db.write(lambda tx: service.next_letters(tx, made.id))
    assert [one.delivery_id for one in following] == [office.deliveries[2]["id"]]
    office.driver.publish(following)
    assert office.deliver() == ["delivered"]


def test_all_that_was_put_off_is_delivered_without_waiting(office: Office, to: Box) -> None:
    office.endpoint(to.url, "step.completed")
    office.ran()
    claimed = [office.claim(), office.claim()]
    office.deliver()
    for one in claimed:
        office.settle(one, SENT)
    office.driver.publish(office.world.db.write(lambda tx: service.next_letters(tx, claimed[0].webhook_id)))
    office.deliver()
    assert {row["status"] for row in office.deliveries} == {"delivered"}


def test_an_endpoint_that_fails_gets_one_at_a_time_and_no_hurry(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "step.completed")
    office.ran()
    first, _second = office.claim(), office.claim()
    office.settle(first, FAILED)
    assert set(office.deliver()) == {"put off"}
    assert office.world.db.write(lambda tx: service.next_letters(tx, made.id)) == []


def test_an_endpoint_that_is_switched_off_is_nobodys_concern(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    webhooks.change(office.world, LOCAL, made.id, {"active": False})
    assert office.rows(subscription) == []
    webhooks.change(office.world, LOCAL, made.id, {"active": True})
    assert [row["event"] for row in office.rows(subscription)] == ["run.completed"]


def test_an_endpoint_that_answers_gone_is_unsubscribed(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.completed")
    to.say(410)
    office.ran()
    assert office.deliver() == ["dead"]
    assert office.rows(subscription) == []


@pytest.mark.postgres
@pytest.mark.parametrize("office", ["postgres"], indirect=True)
def test_an_endpoint_that_somebody_holds_keeps_one_worker_for_a_moment(office: Office, to: Box) -> None:
    office.endpoint(to.url, "step.completed")
    for _ in range(6):
        office.ran()
    known = office.world.db
    limited = Database(str(known.url), known.tenant, limits=LIMITS["worker"])
    with psycopg.connect(str(known.url.set(drivername="postgresql"))) as stranger:
        stranger.execute("SELECT id FROM webhook FOR UPDATE")
        began = time.monotonic()
        words = replace(office, world=replace(office.world, db=limited)).deliver()
        took = time.monotonic() - began
    limited.dispose()
    assert words == ["put off"] * 18
    assert took < 9 * LIMITS["worker"].lock_ms / 1000  # Most of them waited for nobody.
    office.come_due()
    assert set(office.deliver()) == {"delivered"}


def test_what_was_written_for_an_endpoint_that_is_gone_is_forgotten(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    office.world.db.write(lambda tx: tx.execute(delete(subscription)))
    office.world.db.write(lambda tx: tx.execute(delete(webhook).where(webhook.c.id == made.id)))
    assert set(office.deliver()) <= {"dropped"}
    assert office.rows(delivery) == []
