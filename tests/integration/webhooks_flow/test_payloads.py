"""What a receiver gets: the run as it was then, signed so that the reference library accepts it."""

import json

import pytest
from standardwebhooks import WebhookVerificationError

from app.auth.keys import LOCAL
from app.domain.clock import rfc3339
from app.record.runs import runs
from app.services import present, webhook_payload, webhooks
from app.webhooks.signing import new_secret
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig, without
from tests.support.probes import BEFORE, fails

HELD_BACK = webhook_payload.PRIVATE


def test_the_reference_library_accepts_the_signature(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    assert rig.deliver() == ["delivered"]
    (received,) = to.received
    assert received.verified(made.secret) == received.json
    assert received.id == rig.delivery["id"]
    assert received.headers["content-type"] == "application/json"


def test_a_signature_stands_for_this_body_and_this_secret_alone(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    rig.deliver()
    (received,) = to.received
    forged = type(received)(headers=received.headers, body=received.body.replace(b"completed", b"cancelled"))
    with pytest.raises(WebhookVerificationError):
        forged.verified(made.secret)
    with pytest.raises(WebhookVerificationError):
        received.verified(new_secret())


def test_a_body_is_type_timestamp_and_the_run_with_the_number_of_the_event(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.completed")
    run_id = rig.ran()
    rig.deliver()
    last = rig.driver.log(run_id)[-1]
    (received,) = to.received
    assert list(received.json) == ["type", "timestamp", "data"]
    assert (received.event, received.json["timestamp"]) == ("run.completed", rfc3339(last["at"]))
    assert (received.data["id"], received.data["status"], received.data["seq"]) == (
        run_id,
        "completed",
        last["seq"],
    )


def test_the_run_of_its_last_event_is_the_run_that_readers_see(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.failed")
    BEFORE["third"] = fails()
    run_id = rig.ran(tags=["night"])
    rig.deliver()
    steps = rig.read(lambda tx: runs.all_steps(tx, run_id))
    shown = present.run_detail(rig.driver.run(run_id), steps, now=rig.driver.log(run_id)[-1]["at"])
    expected = without(shown, *HELD_BACK)
    for name in ("steps", "compensation"):
        expected[name] = [without(step, *HELD_BACK) for step in shown[name]]
    assert without(to.received[0].data, "seq") == json.loads(json.dumps(expected))


def test_a_late_delivery_tells_of_the_run_as_it_was_then(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.created", "step.completed")
    rig.ran()
    rig.deliver_until_quiet()
    created, first, *_ = to.in_order
    statuses = [step["status"] for step in created.data["steps"]]
    assert (created.data["status"], created.data["startedAt"]) == ("pending", None)
    assert (statuses, created.data["progress"]) == (["pending"] * 3, 0)
    assert (first.data["status"], first.data["completedAt"]) == ("running", None)
    assert first.data["step"] == {"name": "first", "attempt": 1}
    assert [step["status"] for step in first.data["steps"]][:2] == ["completed", "pending"]


def test_a_later_attempt_sends_the_same_bytes_under_a_new_time(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "step.completed")
    to.say(500)
    run_id = rig.start()
    rig.driver.deliver()
    assert rig.deliver()[0] == "retry"
    rig.driver.finish(run_id)  # The run has gone on meanwhile.
    rig.deliver_until_quiet()
    first, *_, again = [one for one in to.received if one.id == to.received[0].id]
    assert first is not again and first.body == again.body
    assert again.verified(made.secret) == first.json
    assert [row["attempt"] for row in rig.deliveries] == [2, 1, 1]


def test_what_went_into_a_run_and_what_came_out_is_not_sent(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url)
    run_id = rig.ran("probe.map", input={"items": ["canary-in"]})
    rig.deliver_until_quiet()
    assert rig.driver.status(run_id) == "completed"
    assert len(to.received) >= 5
    assert not [one for one in to.received if b"canary-in" in one.body]


def test_a_test_event_says_which_endpoint_it_is_for(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.failed")
    sent = webhooks.test(rig.world, LOCAL, made.id)
    assert rig.deliver() == ["delivered"]
    (received,) = to.received
    assert (received.id, received.event, received.data) == (
        sent["id"],
        "webhook.test",
        {"webhookId": made.id},
    )
    assert received.verified(made.secret)["timestamp"] == rfc3339(sent["created_at"])
