"""Signing secrets: rotated with an overlap, sealed anew with the sealing keys, in clear nowhere."""

import base64
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import select
from standardwebhooks import WebhookVerificationError

from app.auth.keys import LOCAL
from app.record.service import webhooks as rows
from app.record.session import Tx
from app.record.tables import metadata
from app.services import keys, secrets, signing_secrets, webhooks
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig, principal


def test_during_a_rotation_both_secrets_sign(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    _, fresh = webhooks.rotate(rig.world, LOCAL, made.id)
    rig.ran()
    rig.deliver()
    (received,) = to.received
    assert len(received.headers["webhook-signature"].split(" ")) == 2
    assert received.verified(made.secret) == received.verified(fresh) == received.json


def test_the_old_secret_ends_with_the_overlap(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    row, fresh = webhooks.rotate(rig.world, LOCAL, made.id)
    now = rig.read(lambda tx: tx.now)
    assert 0 < row["old_until"] - now <= webhooks.OVERLAP_MS
    rig.world.db.write(lambda tx: rows.change_webhook(tx, made.id, {"old_until": now}))
    rig.ran()
    rig.deliver()
    assert to.received[0].verified(fresh)
    with pytest.raises(WebhookVerificationError):
        to.received[0].verified(made.secret)


def test_a_retry_is_signed_with_the_secrets_of_its_own_moment(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    to.say(500)
    rig.deliver()
    _, fresh = webhooks.rotate(rig.world, LOCAL, made.id)
    rig.deliver_until_quiet()
    first, again = to.received
    assert first.body == again.body and again.verified(fresh) == again.verified(made.secret)
    with pytest.raises(WebhookVerificationError):
        first.verified(fresh)


def test_signing_goes_on_when_the_sealing_keys_are_rotated(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    _, fresh = webhooks.rotate(rig.world, LOCAL, made.id)
    _, _, callback = keys.create(rig.world, "deploy", ["runs:write"])
    rig.ran(principal=principal("deploy"), callback_url=to.url)
    before, signing = rig.row(made.id), (made.secret, fresh, callback)
    assert secrets.rotate(rig.world) == 3
    assert rig.row(made.id)["secret"] != before["secret"]
    assert set(rig.reopened().deliver_until_quiet()) == {"delivered"}
    assert [sum(one.is_signed_with(secret) for one in to.received) for secret in signing] == [1, 1, 2]


def test_an_endpoint_whose_secret_cannot_be_opened_is_not_told_unsigned(rig: Rig, to: Inbox) -> None:
    made, other = rig.endpoint(to.url, "run.completed"), rig.endpoint(to.url, "run.failed")
    swapped = {"secret": rig.row(other.id)["secret"]}
    rig.world.db.write(lambda tx: rows.change_webhook(tx, made.id, swapped))
    rig.ran()
    assert rig.deliver() == ["retry"]
    assert to.received == []
    assert rig.attempts[0]["error"] == "the secret of the endpoint cannot be opened"


def test_no_secret_is_in_the_record_in_the_log_or_in_a_message(
    rig: Rig,
    to: Inbox,
    state: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = rig.endpoint(to.url, "run.*")
    _, fresh = webhooks.rotate(rig.world, LOCAL, made.id)
    _, token, callback = keys.create(rig.world, "deploy", ["runs:write"])
    to.say(500)
    rig.ran(principal=principal("deploy"), callback_url=to.url)
    rig.ran(callback_url=to.url)
    rig.deliver_until_quiet()
    local = signing_secrets.local_secret(rig.world)
    told = capfd.readouterr()
    seen = [everything_in(rig), told.out, told.err, caplog.text, *map(str, to.receiver.requests)]
    assert "webhook.attempted" in told.out + caplog.text
    assert len(to.received) >= 9 and made.id in seen[0]
    for secret in (made.secret, fresh, callback, token, local):
        assert not [text for text in seen if any(form in text for form in forms(secret))]


def everything_in(rig: Rig) -> str:
    """Every row of every table, of everybody."""

    def dump(tx: Tx) -> str:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in tx.rows(select(table)))

    return str(rig.read(dump))


def forms(secret: str) -> Iterable[str]:
    """A secret as it might be written down."""
    text = secret.removeprefix("whsec_")
    yield text
    if text != secret:
        raw = base64.b64decode(text)
        yield from (raw.hex(), base64.urlsafe_b64encode(raw).decode(), repr(raw)[2:-1])
