"""The callback of one run: told how this run goes and of no other, signed for whoever started it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import Conflict
from app.record.tables import subscription, webhook
from app.services import keys, signing_secrets, webhooks
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office, principal
from tests.support.probes import BEFORE, fails


def test_a_callback_is_told_when_its_run_starts_and_ends(office: Office, to: Box) -> None:
    run_id = office.ran(callback_url=to.url)
    office.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]
    assert {one.data["id"] for one in to.mail} == {run_id}


def test_a_callback_is_told_of_a_failure_once_it_is_undone(office: Office, to: Box) -> None:
    BEFORE["third"] = fails()
    office.ran(callback_url=to.url)
    office.deliver_until_quiet()
    assert to.events == ["run.started", "run.failed"]
    assert [step["undoes"] for step in to.in_order[-1].data["compensation"]] == ["third", "second", "first"]


def test_a_callback_is_told_of_its_own_run_alone(office: Office, to: Box) -> None:
    mine = office.start(callback_url=to.url)
    for run_id in (office.ran(), mine):
        office.driver.finish(run_id)
    office.deliver_until_quiet()
    assert [row["run_id"] for row in office.deliveries] == [mine, mine]
    assert {one.data["id"] for one in to.mail} == {mine}


def test_a_callback_is_unsubscribed_once_its_last_delivery_is_settled(office: Office, to: Box) -> None:
    to.say(500)
    run_id = office.ran(callback_url=to.url)
    office.deliver()
    assert {row["run_id"] for row in office.rows(subscription)} == {run_id}
    office.deliver_until_quiet()
    assert (office.rows(subscription), to.events[-1]) == ([], "run.completed")


def test_endpoints_are_told_beside_callbacks(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran(callback_url=to.url)
    assert office.told(made.id) == ["run.completed"]
    assert len(office.deliveries) == 3


def test_a_callback_is_signed_with_the_secret_of_the_key_that_started_the_run(
    office: Office, to: Box
) -> None:
    _, _, secret = keys.create(office.world, "deploy", ["runs:write"])
    office.ran(principal=principal("deploy"), callback_url=to.url)
    office.deliver_until_quiet()
    assert len(to.mail) == 2
    for one in to.mail:
        assert one.verified(secret) == one.said


def test_a_callback_without_a_key_is_signed_with_the_secret_of_the_installation(
    office: Office, to: Box
) -> None:
    office.ran(callback_url=to.url)
    office.deliver_until_quiet()
    secret = signing_secrets.local_secret(office.world)
    assert [one.verified(secret) == one.said for one in to.mail] == [True, True]


def test_a_key_that_is_revoked_meanwhile_still_signs_its_callbacks(office: Office, to: Box) -> None:
    _, _, secret = keys.create(office.world, "deploy", ["runs:write"])
    office.ran(principal=principal("deploy"), callback_url=to.url)
    keys.revoke(office.world, "deploy")
    assert set(office.deliver_until_quiet()) == {"delivered"}
    assert to.mail[0].verified(secret)


def test_a_callback_belongs_to_its_run_and_cannot_be_changed(office: Office, to: Box) -> None:
    run_id = office.ran(callback_url=to.url)
    (row,) = office.rows(webhook)
    assert (row["run_id"], row["url"]) == (run_id, to.url)
    with pytest.raises(Conflict):
        webhooks.change(office.world, LOCAL, row["id"], {"active": False})
    with pytest.raises(Conflict):
        webhooks.rotate(office.world, LOCAL, row["id"])


def test_a_doubled_idempotency_key_is_one_callback(office: Office, to: Box) -> None:
    first, again = (office.ran(callback_url=to.url, idempotency_key="k") for _ in range(2))
    assert first == again
    assert len(office.rows(webhook)) == 1
    office.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]


def test_an_idempotency_key_doubled_at_the_same_instant_is_one_callback(office: Office, to: Box) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(office.start, callback_url=to.url, idempotency_key="k") for _ in range(16)]
        started = [one.result() for one in asked]
    assert len(set(started)) == 1
    assert [row["run_id"] for row in office.rows(webhook)] == started[:1]
