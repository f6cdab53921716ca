"""What follows from an answer: delivered, tried again by the schedule, given up, or switched off."""

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import Conflict, NotFound
from app.services import webhooks
from app.webhooks.schedule import JITTER, SCHEDULE_MS
from app.webhooks.send import Attempt
from tests.integration.webhooks_flow.receiver import Inbox, inbox
from tests.integration.webhooks_flow.rig import Endpoint, Rig

SENT = Attempt(status=200, latency_ms=1, verdict="delivered")
MOST_LATE_MS = 5_000  # A busy machine between the settlement and the look at it.


@pytest.fixture
def made(rig: Rig, to: Inbox) -> Endpoint:
    """An endpoint of the event that ends one run."""
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    return made


def test_an_attempt_is_a_row_with_status_latency_and_answer(rig: Rig, made: Endpoint) -> None:
    assert rig.deliver() == ["delivered"]
    (row,) = rig.attempts
    assert (row["attempt"], row["status"], row["answer"], row["error"]) == (1, 200, "noted", None)
    assert row["latency_ms"] >= 0 and row["at"] <= rig.delivery["delivered_at"]
    assert (rig.delivery["status"], rig.delivery["next_at"]) == ("delivered", None)


def test_a_failure_is_tried_again_by_the_schedule(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(500)
    assert rig.deliver() == ["retry"]
    assert SCHEDULE_MS[1] * (1 + JITTER) >= rig.pause_ms() >= SCHEDULE_MS[1] * (1 - JITTER) - MOST_LATE_MS
    rig.reconcile()
    assert rig.deliver() == []  # Not yet.
    rig.come_due()
    assert rig.deliver() == ["delivered"]
    assert [row["status"] for row in rig.attempts] == [500, 200]


@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(
    rig: Rig, to: Inbox, made: Endpoint, status: int
) -> None:
    with inbox() as elsewhere:
        to.say(status, location=elsewhere.url)
        assert rig.deliver() == ["retry"]
        assert (len(to.received), elsewhere.received) == (1, [])
    assert rig.attempts[0]["error"] == f"answered {status}"


def test_a_receiver_that_is_gone_is_switched_off(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(410)
    assert rig.deliver() == ["dead"]
    row = rig.row(made.id)
    assert (bool(row["active"]), row["disabled_reason"]) == (False, "the endpoint answered 410 Gone")
    rig.ran()
    assert len(rig.deliveries) == 1
    back = webhooks.change(rig.world, LOCAL, made.id, {"active": True})
    assert (bool(back["active"]), back["disabled_reason"]) == (True, None)


def test_a_receiver_may_ask_for_a_longer_pause(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(503, retry_after="600")
    rig.deliver()
    assert 600_000 >= rig.pause_ms() > 600_000 - MOST_LATE_MS


def test_a_receiver_cannot_ask_for_a_shorter_pause(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(500)
    rig.deliver()
    rig.come_due()
    to.say(429, retry_after="1")
    assert rig.deliver() == ["retry"]
    assert rig.pause_ms() >= SCHEDULE_MS[2] * (1 - JITTER) - MOST_LATE_MS


def test_a_delivery_is_dead_when_the_schedule_is_at_its_end(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(*[500] * 10)
    assert rig.deliver_until_quiet() == ["retry"] * 9 + ["dead"]
    assert (len(to.received), len(rig.attempts)) == (10, 10)
    rig.reconcile()
    assert rig.deliver() == []


def test_a_dead_delivery_is_sent_again_when_somebody_asks(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(*[500] * 11)
    rig.deliver_until_quiet()
    again = webhooks.redeliver(rig.world, LOCAL, made.id, rig.delivery["id"])
    assert (again["status"], again["id"]) == ("pending", rig.delivery["id"])
    assert rig.deliver_until_quiet() == ["retry", "delivered"]  # With the whole schedule before it.
    assert rig.delivery["attempt"] == 12
    assert len({(one.id, one.body) for one in to.received}) == 1


def test_what_was_delivered_can_be_sent_again(rig: Rig, to: Inbox, made: Endpoint) -> None:
    rig.deliver()
    webhooks.redeliver(rig.world, LOCAL, made.id, rig.delivery["id"])
    assert rig.delivery["delivered_at"] is None
    assert rig.deliver() == ["delivered"]
    assert len(to.received) == 2


def test_nothing_is_sent_again_where_it_does_not_belong(rig: Rig, to: Inbox, made: Endpoint) -> None:
    other = rig.endpoint(to.url, "run.failed")
    with pytest.raises(NotFound):
        webhooks.redeliver(rig.world, LOCAL, other.id, rig.delivery["id"])
    webhooks.change(rig.world, LOCAL, made.id, {"active": False})
    with pytest.raises(Conflict):
        webhooks.redeliver(rig.world, LOCAL, made.id, rig.delivery["id"])
    with pytest.raises(Conflict):
        webhooks.test(rig.world, LOCAL, made.id)


def test_a_failing_endpoint_gets_one_delivery_at_a_time(rig: Rig, to: Inbox, made: Endpoint) -> None:
    to.say(500)
    rig.deliver()
    assert rig.row(made.id)["failing_since"] is not None
    rig.come_due()
    claimed = rig.claim()
    rig.ran()
    assert rig.deliver() == ["put off"]
    assert rig.settle(claimed, SENT) == "delivered"
    rig.come_due()
    assert rig.deliver() == ["delivered"]
    assert rig.row(made.id)["failing_since"] is None


def test_an_address_that_is_no_longer_allowed_is_not_called(rig: Rig, to: Inbox, made: Endpoint) -> None:
    closed = rig.closed()
    assert closed.deliver() == ["retry"]
    assert to.received == []
    assert "not public" in rig.attempts[0]["error"]
