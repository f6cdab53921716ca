"""What a receiver gets: the run as it was then, signed so that the reference library accepts it."""

import json

import pytest
from standardwebhooks import WebhookVerificationError

from app.auth.keys import LOCAL
from app.domain.clock import rfc3339
from app.record.runs import runs
from app.services import letter, present, webhooks
from app.webhooks.signing import new_secret
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office, without
from tests.support.probes import BEFORE, fails

HELD_BACK = letter.PRIVATE


def test_the_reference_library_accepts_the_signature(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    assert office.deliver() == ["delivered"]
    (mail,) = to.mail
    assert mail.verified(made.secret) == mail.said
    assert mail.id == office.delivery["id"]
    assert mail.headers["content-type"] == "application/json"


def test_a_signature_stands_for_this_body_and_this_secret_alone(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    office.deliver()
    (mail,) = to.mail
    forged = type(mail)(headers=mail.headers, body=mail.body.replace(b"completed", b"cancelled"))
    with pytest.raises(WebhookVerificationError):
        forged.verified(made.secret)
    with pytest.raises(WebhookVerificationError):
        mail.verified(new_secret())


def test_a_body_is_type_timestamp_and_the_run_with_the_number_of_the_event(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.completed")
    run_id = office.ran()
    office.deliver()
    last = office.driver.log(run_id)[-1]
    (mail,) = to.mail
    assert list(mail.said) == ["type", "timestamp", "data"]
    assert (mail.event, mail.said["timestamp"]) == ("run.completed", rfc3339(last["at"]))
    assert (mail.data["id"], mail.data["status"], mail.data["seq"]) == (run_id, "completed", last["seq"])


def test_the_run_of_its_last_event_is_the_run_that_readers_see(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.failed")
    BEFORE["third"] = fails()
    run_id = office.ran(tags=["night"])
    office.deliver()
    steps = office.read(lambda tx: runs.all_steps(tx, run_id))
    shown = present.run_detail(office.driver.run(run_id), steps, now=office.driver.log(run_id)[-1]["at"])
    expected = without(shown, *HELD_BACK)
    for name in ("steps", "compensation"):
        expected[name] = [without(step, *HELD_BACK) for step in shown[name]]
    assert without(to.mail[0].data, "seq") == json.loads(json.dumps(expected))


def test_a_late_delivery_tells_of_the_run_as_it_was_then(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.created", "step.completed")
    office.ran()
    office.deliver_until_quiet()
    created, first, *_ = to.in_order
    statuses = [step["status"] for step in created.data["steps"]]
    assert (created.data["status"], created.data["startedAt"]) == ("pending", None)
    assert (statuses, created.data["progress"]) == (["pending"] * 3, 0)
    assert (first.data["status"], first.data["completedAt"]) == ("running", None)
    assert first.data["step"] == {"name": "first", "attempt": 1}
    assert [step["status"] for step in first.data["steps"]][:2] == ["completed", "pending"]


def test_a_later_attempt_sends_the_same_bytes_under_a_new_time(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "step.completed")
    to.say(500)
    run_id = office.start()
    office.driver.deliver()
    assert office.deliver()[0] == "retry"
    office.driver.finish(run_id)  # The run has gone on meanwhile.
    office.deliver_until_quiet()
    first, *_, again = [one for one in to.mail if one.id == to.mail[0].id]
    assert first is not again and first.body == again.body
    assert again.verified(made.secret) == first.said
    assert [row["attempt"] for row in office.deliveries] == [2, 1, 1]


def test_what_went_into_a_run_and_what_came_out_is_not_sent(office: Office, to: Box) -> None:
    office.endpoint(to.url)
    run_id = office.ran("probe.map", input={"items": ["canary-in"]})
    office.deliver_until_quiet()
    assert office.driver.status(run_id) == "completed"
    assert len(to.mail) >= 5
    assert not [one for one in to.mail if b"canary-in" in one.body]


def test_a_test_event_says_which_endpoint_it_is_for(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.failed")
    sent = webhooks.test(office.world, LOCAL, made.id)
    assert office.deliver() == ["delivered"]
    (mail,) = to.mail
    assert (mail.id, mail.event, mail.data) == (sent["id"], "webhook.test", {"webhookId": made.id})
    assert mail.verified(made.secret)["timestamp"] == rfc3339(sent["created_at"])
