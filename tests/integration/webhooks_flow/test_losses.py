"""Workers that are lost, messages that are late or doubled, endpoints that go while received is under way."""

import sqlite3

import pytest

from app.auth.keys import LOCAL
from app.domain.ids import new_id
from app.record.service.deliveries import LOST
from app.record.session import Tx
from app.record.tables import delivery, delivery_attempt, subscription, webhook
from app.services import deliver as service
from app.services import runs, webhooks
from app.services.runs import Order
from app.webhooks.send import Attempt
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Endpoint, Rig

SENT = Attempt(status=200, latency_ms=1, answer="late", verdict="delivered")
FAILED = Attempt(status=500, latency_ms=1, error="answered 500", verdict="retry")


@pytest.fixture
def made(rig: Rig, to: Inbox) -> Endpoint:
    """An endpoint of the event that ends one run."""
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    return made


def test_a_doubled_message_is_one_attempt(rig: Rig, to: Inbox, made: Endpoint) -> None:
    rig.driver.to_deliver.append(rig.driver.to_deliver[0])
    assert rig.deliver() == ["delivered", "dropped"]
    assert len(to.received) == 1


def test_every_delivery_leaves_with_its_transaction(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url)
    rig.ran()
    assert rig.deliver() == ["delivered"] * 6  # No reconciler was needed.
    assert {row["status"] for row in rig.deliveries} == {"delivered"}


def test_a_message_that_was_lost_is_published_again(rig: Rig, to: Inbox, made: Endpoint) -> None:
    rig.driver.to_deliver.clear()
    rig.come_due()
    assert rig.deliver() == ["delivered"]
    assert len(to.received) == 1


def test_what_was_published_is_not_published_again_for_a_while(rig: Rig, made: Endpoint) -> None:
    rig.driver.to_deliver.clear()
    rig.come_due()
    rig.reconcile()
    assert len(rig.driver.to_deliver) == 1


def test_a_transaction_that_is_repeated_after_its_commit_writes_nothing_twice(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.*")
    order, run_id = Order(type="probe.line", callback_url=to.url), new_id("run")
    for _ in range(2):  # As when the answer to the commit was lost.
        rig.world.db.write(lambda tx: runs.accept_order(tx, rig.world, run_id, order, LOCAL))
    assert [row["event"] for row in rig.deliveries] == ["run.created"]
    assert len(rig.rows(webhook)) == 2


def test_a_transaction_that_is_repeated_after_it_failed_writes_each_delivery_once(
    rig: Rig, to: Inbox
) -> None:
    rig.endpoint(to.url, "run.*")
    order, run_id, failures = Order(type="probe.line"), new_id("run"), iter([True])

    def accept(tx: Tx) -> None:
        runs.accept_order(tx, rig.world, run_id, order, LOCAL)
        if next(failures, False):
            busy = sqlite3.OperationalError("the database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy

    rig.world.db.write(accept)
    assert [row["event"] for row in rig.deliveries] == ["run.created"]


def test_a_delivery_whose_worker_was_lost_is_made_again_under_a_higher_fence(
    rig: Rig, to: Inbox, made: Endpoint
) -> None:
    lost = rig.claim()
    rig.lose_worker()
    rig.reconcile()
    assert rig.deliver() == ["delivered"]
    assert rig.delivery["fence"] > lost.fence
    assert [row["error"] for row in rig.attempts] == [LOST, None]
    assert to.received[0].body == lost.body.encode()


@pytest.mark.parametrize("made_late", [SENT, FAILED])
def test_the_worker_that_was_taken_for_lost_changes_nothing(
    rig: Rig, made: Endpoint, made_late: Attempt
) -> None:
    lost = rig.claim()
    rig.lose_worker()
    rig.reconcile()
    rig.deliver()
    before = rig.delivery, rig.row(made.id)
    assert rig.settle(lost, made_late) == "late"
    assert (rig.delivery, rig.row(made.id)) == before
    assert rig.attempts[0]["status"] == made_late.status  # That it was made stays on record.


def test_a_worker_that_answers_before_another_has_begun_is_believed(rig: Rig, made: Endpoint) -> None:
    slow = rig.claim()
    rig.lose_worker()
    rig.reconcile()
    assert rig.settle(slow, SENT) == "delivered"
    assert rig.deliver() == ["dropped"]


def test_a_message_for_a_worker_that_only_seemed_lost_is_void(rig: Rig, made: Endpoint) -> None:
    slow = rig.claim()
    rig.lose_worker()
    rig.reconcile()
    assert rig.settle(slow, FAILED) == "retry"
    assert rig.deliver() == ["dropped"]
    assert rig.delivery["status"] == "pending"


def test_attempts_whose_worker_was_lost_count_against_the_schedule(rig: Rig, made: Endpoint) -> None:
    for _ in range(10):
        rig.claim()
        rig.lose_worker()
        rig.reconcile()
    assert rig.deliver() == ["dead"]
    assert [row["error"] for row in rig.attempts] == [LOST] * 10


def test_a_deleted_endpoint_takes_everything_with_it(rig: Rig, to: Inbox, made: Endpoint) -> None:
    webhooks.delete(rig.world, LOCAL, made.id)
    assert rig.deliver() == ["dropped"]
    assert to.received == []
    for table in (webhook, subscription, delivery, delivery_attempt):
        assert rig.rows(table) == []


@pytest.mark.parametrize("ends", [SENT, FAILED])
def test_an_endpoint_may_be_deleted_while_it_is_being_told(rig: Rig, made: Endpoint, ends: Attempt) -> None:
    claimed = rig.claim()
    webhooks.delete(rig.world, LOCAL, made.id)
    assert rig.settle(claimed, ends) == "late"
    assert rig.rows(delivery_attempt) == []


def test_a_redelivery_leaves_the_attempt_that_is_being_made_alone(rig: Rig, made: Endpoint) -> None:
    claimed = rig.claim()
    assert webhooks.redeliver(rig.world, LOCAL, made.id, claimed.id)["status"] == "delivering"
    assert rig.settle(claimed, SENT) == "delivered"


def test_what_the_worker_claimed_is_what_it_sends(rig: Rig, to: Inbox, made: Endpoint) -> None:
    claimed = rig.claim()
    assert service.attempt(rig.world, claimed).verdict == "delivered"
    assert to.received[0].verified(made.secret)["data"]["seq"] == rig.delivery["seq"]
