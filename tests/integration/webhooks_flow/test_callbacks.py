"""The callback of one run: told how this run goes and of no other, signed for whoever started it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import Conflict
from app.record.tables import subscription, webhook
from app.services import keys, signing_secrets, webhooks
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig, principal
from tests.support.probes import BEFORE, fails


def test_a_callback_is_told_when_its_run_starts_and_ends(rig: Rig, to: Inbox) -> None:
    run_id = rig.ran(callback_url=to.url)
    rig.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]
    assert {one.data["id"] for one in to.received} == {run_id}


def test_a_callback_is_told_of_a_failure_once_it_is_undone(rig: Rig, to: Inbox) -> None:
    BEFORE["third"] = fails()
    rig.ran(callback_url=to.url)
    rig.deliver_until_quiet()
    assert to.events == ["run.started", "run.failed"]
    assert [step["undoes"] for step in to.in_order[-1].data["compensation"]] == ["third", "second", "first"]


def test_a_callback_is_told_of_its_own_run_alone(rig: Rig, to: Inbox) -> None:
    mine = rig.start(callback_url=to.url)
    for run_id in (rig.ran(), mine):
        rig.driver.finish(run_id)
    rig.deliver_until_quiet()
    assert [row["run_id"] for row in rig.deliveries] == [mine, mine]
    assert {one.data["id"] for one in to.received} == {mine}


def test_a_callback_is_unsubscribed_once_its_last_delivery_is_settled(rig: Rig, to: Inbox) -> None:
    to.say(500)
    run_id = rig.ran(callback_url=to.url)
    rig.deliver()
    assert {row["run_id"] for row in rig.rows(subscription)} == {run_id}
    rig.deliver_until_quiet()
    assert (rig.rows(subscription), to.events[-1]) == ([], "run.completed")


def test_endpoints_are_told_beside_callbacks(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran(callback_url=to.url)
    assert rig.received_by(made.id) == ["run.completed"]
    assert len(rig.deliveries) == 3


def test_a_callback_is_signed_with_the_secret_of_the_key_that_started_the_run(rig: Rig, to: Inbox) -> None:
    _, _, secret = keys.create(rig.world, "deploy", ["runs:write"])
    rig.ran(principal=principal("deploy"), callback_url=to.url)
    rig.deliver_until_quiet()
    assert len(to.received) == 2
    for one in to.received:
        assert one.verified(secret) == one.json


def test_a_callback_without_a_key_is_signed_with_the_secret_of_the_installation(rig: Rig, to: Inbox) -> None:
    rig.ran(callback_url=to.url)
    rig.deliver_until_quiet()
    secret = signing_secrets.local_secret(rig.world)
    assert [one.verified(secret) == one.json for one in to.received] == [True, True]


def test_a_key_that_is_revoked_meanwhile_still_signs_its_callbacks(rig: Rig, to: Inbox) -> None:
    _, _, secret = keys.create(rig.world, "deploy", ["runs:write"])
    rig.ran(principal=principal("deploy"), callback_url=to.url)
    keys.revoke(rig.world, "deploy")
    assert set(rig.deliver_until_quiet()) == {"delivered"}
    assert to.received[0].verified(secret)


def test_a_callback_belongs_to_its_run_and_cannot_be_changed(rig: Rig, to: Inbox) -> None:
    run_id = rig.ran(callback_url=to.url)
    (row,) = rig.rows(webhook)
    assert (row["run_id"], row["url"]) == (run_id, to.url)
    with pytest.raises(Conflict):
        webhooks.change(rig.world, LOCAL, row["id"], {"active": False})
    with pytest.raises(Conflict):
        webhooks.rotate(rig.world, LOCAL, row["id"])


def test_a_doubled_idempotency_key_is_one_callback(rig: Rig, to: Inbox) -> None:
    first, again = (rig.ran(callback_url=to.url, idempotency_key="k") for _ in range(2))
    assert first == again
    assert len(rig.rows(webhook)) == 1
    rig.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]


def test_an_idempotency_key_doubled_at_the_same_instant_is_one_callback(rig: Rig, to: Inbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(rig.start, callback_url=to.url, idempotency_key="k") for _ in range(16)]
        started = [one.result() for one in asked]
    assert len(set(started)) == 1
    assert [row["run_id"] for row in rig.rows(webhook)] == started[:1]
