"""Workers that are lost, messages that are late or doubled, endpoints that go while mail is under way."""

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
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Endpoint, Office

SENT = Attempt(status=200, latency_ms=1, answer="late", verdict="delivered")
FAILED = Attempt(status=500, latency_ms=1, error="answered 500", verdict="retry")


@pytest.fixture
def made(office: Office, to: Box) -> Endpoint:
    """An endpoint that is to be told how one run ended."""
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    return made


def test_a_doubled_message_is_one_attempt(office: Office, to: Box, made: Endpoint) -> None:
    office.driver.letters.append(office.driver.letters[0])
    assert office.deliver() == ["delivered", "dropped"]
    assert len(to.mail) == 1


def test_every_delivery_leaves_with_its_transaction(office: Office, to: Box) -> None:
    office.endpoint(to.url)
    office.ran()
    assert office.deliver() == ["delivered"] * 6  # No reconciler was needed.
    assert {row["status"] for row in office.deliveries} == {"delivered"}


def test_a_message_that_was_lost_is_rung_for_again(office: Office, to: Box, made: Endpoint) -> None:
    office.driver.letters.clear()
    office.come_due()
    assert office.deliver() == ["delivered"]
    assert len(to.mail) == 1


def test_what_was_rung_for_is_left_alone_for_a_while(office: Office, made: Endpoint) -> None:
    office.driver.letters.clear()
    office.come_due()
    office.reconcile()
    assert len(office.driver.letters) == 1


def test_a_transaction_that_is_repeated_after_its_commit_writes_nothing_twice(
    office: Office, to: Box
) -> None:
    office.endpoint(to.url, "run.*")
    order, run_id = Order(type="probe.line", callback_url=to.url), new_id("run")
    for _ in range(2):  # As when the answer to the commit was lost.
        office.world.db.write(lambda tx: runs.accept_order(tx, office.world, run_id, order, LOCAL))
    assert [row["event"] for row in office.deliveries] == ["run.created"]
    assert len(office.rows(webhook)) == 2


def test_a_transaction_that_is_repeated_after_it_failed_writes_each_delivery_once(
    office: Office, to: Box
) -> None:
    office.endpoint(to.url, "run.*")
    order, run_id, failures = Order(type="probe.line"), new_id("run"), iter([True])

    def accept(tx: Tx) -> None:
        runs.accept_order(tx, office.world, run_id, order, LOCAL)
        if next(failures, False):
            busy = sqlite3.OperationalError("the database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy

    office.world.db.write(accept)
    assert [row["event"] for row in office.deliveries] == ["run.created"]


def test_a_delivery_whose_worker_was_lost_is_made_again_under_a_higher_fence(
    office: Office, to: Box, made: Endpoint
) -> None:
    lost = office.claim()
    office.lose_worker()
    office.reconcile()
    assert office.deliver() == ["delivered"]
    assert office.delivery["fence"] > lost.fence
    assert [row["error"] for row in office.attempts] == [LOST, None]
    assert to.mail[0].body == lost.body.encode()


@pytest.mark.parametrize("made_late", [SENT, FAILED])
def test_the_worker_that_was_taken_for_lost_changes_nothing(
    office: Office, made: Endpoint, made_late: Attempt
) -> None:
    lost = office.claim()
    office.lose_worker()
    office.reconcile()
    office.deliver()
    before = office.delivery, office.row(made.id)
    assert office.settle(lost, made_late) == "late"
    assert (office.delivery, office.row(made.id)) == before
    assert office.attempts[0]["status"] == made_late.status  # That it was made stays on record.


def test_a_worker_that_answers_before_another_has_begun_is_believed(office: Office, made: Endpoint) -> None:
    slow = office.claim()
    office.lose_worker()
    office.reconcile()
    assert office.settle(slow, SENT) == "delivered"
    assert office.deliver() == ["dropped"]


def test_a_message_for_a_worker_that_only_seemed_lost_is_void(office: Office, made: Endpoint) -> None:
    slow = office.claim()
    office.lose_worker()
    office.reconcile()
    assert office.settle(slow, FAILED) == "retry"
    assert office.deliver() == ["dropped"]
    assert office.delivery["status"] == "pending"


def test_attempts_whose_worker_was_lost_count_against_the_schedule(office: Office, made: Endpoint) -> None:
    for _ in range(10):
        office.claim()
        office.lose_worker()
        office.reconcile()
    assert office.deliver() == ["dead"]
    assert [row["error"] for row in office.attempts] == [LOST] * 10


def test_a_deleted_endpoint_takes_everything_with_it(office: Office, to: Box, made: Endpoint) -> None:
    webhooks.delete(office.world, LOCAL, made.id)
    assert office.deliver() == ["dropped"]
    assert to.mail == []
    for table in (webhook, subscription, delivery, delivery_attempt):
        assert office.rows(table) == []


@pytest.mark.parametrize("ends", [SENT, FAILED])
def test_an_endpoint_may_be_deleted_while_it_is_being_told(
    office: Office, made: Endpoint, ends: Attempt
) -> None:
    claimed = office.claim()
    webhooks.delete(office.world, LOCAL, made.id)
    assert office.settle(claimed, ends) == "late"
    assert office.rows(delivery_attempt) == []


def test_a_redelivery_leaves_the_attempt_that_is_being_made_alone(office: Office, made: Endpoint) -> None:
    claimed = office.claim()
    assert webhooks.redeliver(office.world, LOCAL, made.id, claimed.id)["status"] == "delivering"
    assert office.settle(claimed, SENT) == "delivered"


def test_what_the_worker_claimed_is_what_it_sends(office: Office, to: Box, made: Endpoint) -> None:
    claimed = office.claim()
    assert service.attempt(office.world, claimed).verdict == "delivered"
    assert to.mail[0].verified(made.secret)["data"]["seq"] == office.delivery["seq"]
