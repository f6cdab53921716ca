"""What follows from an answer: delivered, tried again by the schedule, given up, or switched off."""

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import Conflict, NotFound
from app.services import webhooks
from app.webhooks.schedule import JITTER, SCHEDULE_MS
from app.webhooks.send import Attempt
from tests.integration.webhooks_flow.box import Box, box
from tests.integration.webhooks_flow.office import Endpoint, Office

SENT = Attempt(status=200, latency_ms=1, verdict="delivered")
MOST_LATE_MS = 5_000  # A busy machine between the settlement and the look at it.


@pytest.fixture
def made(office: Office, to: Box) -> Endpoint:
    """An endpoint that is to be told how one run ended."""
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    return made


def test_an_attempt_is_a_row_with_status_latency_and_answer(office: Office, made: Endpoint) -> None:
    assert office.deliver() == ["delivered"]
    (row,) = office.attempts
    assert (row["attempt"], row["status"], row["answer"], row["error"]) == (1, 200, "noted", None)
    assert row["latency_ms"] >= 0 and row["at"] <= office.delivery["delivered_at"]
    assert (office.delivery["status"], office.delivery["next_at"]) == ("delivered", None)


def test_a_failure_is_tried_again_by_the_schedule(office: Office, to: Box, made: Endpoint) -> None:
    to.say(500)
    assert office.deliver() == ["retry"]
    assert SCHEDULE_MS[1] * (1 + JITTER) >= office.pause_ms() >= SCHEDULE_MS[1] * (1 - JITTER) - MOST_LATE_MS
    office.reconcile()
    assert office.deliver() == []  # Not yet.
    office.come_due()
    assert office.deliver() == ["delivered"]
    assert [row["status"] for row in office.attempts] == [500, 200]


@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(
    office: Office, to: Box, made: Endpoint, status: int
) -> None:
    with box() as elsewhere:
        to.say(status, location=elsewhere.url)
        assert office.deliver() == ["retry"]
        assert (len(to.mail), elsewhere.mail) == (1, [])
    assert office.attempts[0]["error"] == f"answered {status}"


def test_a_receiver_that_is_gone_is_switched_off(office: Office, to: Box, made: Endpoint) -> None:
    to.say(410)
    assert office.deliver() == ["dead"]
    row = office.row(made.id)
    assert (bool(row["active"]), row["disabled_reason"]) == (False, "the endpoint answered 410 Gone")
    office.ran()
    assert len(office.deliveries) == 1
    back = webhooks.change(office.world, LOCAL, made.id, {"active": True})
    assert (bool(back["active"]), back["disabled_reason"]) == (True, None)


def test_a_receiver_may_ask_for_a_longer_pause(office: Office, to: Box, made: Endpoint) -> None:
    to.say(503, retry_after="600")
    office.deliver()
    assert 600_000 >= office.pause_ms() > 600_000 - MOST_LATE_MS


def test_a_receiver_cannot_ask_for_a_shorter_pause(office: Office, to: Box, made: Endpoint) -> None:
    to.say(500)
    office.deliver()
    office.come_due()
    to.say(429, retry_after="1")
    assert office.deliver() == ["retry"]
    assert office.pause_ms() >= SCHEDULE_MS[2] * (1 - JITTER) - MOST_LATE_MS


def test_a_delivery_is_dead_when_the_schedule_is_at_its_end(office: Office, to: Box, made: Endpoint) -> None:
    to.say(*[500] * 10)
    assert office.deliver_until_quiet() == ["retry"] * 9 + ["dead"]
    assert (len(to.mail), len(office.attempts)) == (10, 10)
    office.reconcile()
    assert office.deliver() == []


def test_a_dead_delivery_is_sent_again_when_somebody_asks(office: Office, to: Box, made: Endpoint) -> None:
    to.say(*[500] * 11)
    office.deliver_until_quiet()
    again = webhooks.redeliver(office.world, LOCAL, made.id, office.delivery["id"])
    assert (again["status"], again["id"]) == ("pending", office.delivery["id"])
    assert office.deliver_until_quiet() == ["retry", "delivered"]  # With the whole schedule before it.
    assert office.delivery["attempt"] == 12
    assert len({(one.id, one.body) for one in to.mail}) == 1


def test_what_was_delivered_can_be_sent_again(office: Office, to: Box, made: Endpoint) -> None:
    office.deliver()
    webhooks.redeliver(office.world, LOCAL, made.id, office.delivery["id"])
    assert office.delivery["delivered_at"] is None
    assert office.deliver() == ["delivered"]
    assert len(to.mail) == 2


def test_nothing_is_sent_again_where_it_does_not_belong(office: Office, to: Box, made: Endpoint) -> None:
    other = office.endpoint(to.url, "run.failed")
    with pytest.raises(NotFound):
        webhooks.redeliver(office.world, LOCAL, other.id, office.delivery["id"])
    webhooks.change(office.world, LOCAL, made.id, {"active": False})
    with pytest.raises(Conflict):
        webhooks.redeliver(office.world, LOCAL, made.id, office.delivery["id"])
    with pytest.raises(Conflict):
        webhooks.test(office.world, LOCAL, made.id)


def test_a_failing_endpoint_gets_one_delivery_at_a_time(office: Office, to: Box, made: Endpoint) -> None:
    to.say(500)
    office.deliver()
    assert office.row(made.id)["failing_since"] is not None
    office.come_due()
    claimed = office.claim()
    office.ran()
    assert office.deliver() == ["put off"]
    assert office.settle(claimed, SENT) == "delivered"
    office.come_due()
    assert office.deliver() == ["delivered"]
    assert office.row(made.id)["failing_since"] is None


def test_an_address_that_is_no_longer_allowed_is_not_called(office: Office, to: Box, made: Endpoint) -> None:
    closed = office.closed()
    assert closed.deliver() == ["retry"]
    assert to.mail == []
    assert "not public" in office.attempts[0]["error"]
