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
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office, principal


def test_during_a_rotation_both_secrets_sign(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    _, fresh = webhooks.rotate(office.world, LOCAL, made.id)
    office.ran()
    office.deliver()
    (mail,) = to.mail
    assert len(mail.headers["webhook-signature"].split(" ")) == 2
    assert mail.verified(made.secret) == mail.verified(fresh) == mail.said


def test_the_old_secret_ends_with_the_overlap(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    row, fresh = webhooks.rotate(office.world, LOCAL, made.id)
    now = office.read(lambda tx: tx.now)
    assert 0 < row["old_until"] - now <= webhooks.OVERLAP_MS
    office.world.db.write(lambda tx: rows.change_webhook(tx, made.id, {"old_until": now}))
    office.ran()
    office.deliver()
    assert to.mail[0].verified(fresh)
    with pytest.raises(WebhookVerificationError):
        to.mail[0].verified(made.secret)


def test_a_retry_is_signed_with_the_secrets_of_its_own_moment(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran()
    to.say(500)
    office.deliver()
    _, fresh = webhooks.rotate(office.world, LOCAL, made.id)
    office.deliver_until_quiet()
    first, again = to.mail
    assert first.body == again.body and again.verified(fresh) == again.verified(made.secret)
    with pytest.raises(WebhookVerificationError):
        first.verified(fresh)


def test_signing_goes_on_when_the_sealing_keys_are_rotated(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    _, fresh = webhooks.rotate(office.world, LOCAL, made.id)
    _, _, callback = keys.create(office.world, "deploy", ["runs:write"])
    office.ran(principal=principal("deploy"), callback_url=to.url)
    before, signing = office.row(made.id), (made.secret, fresh, callback)
    assert secrets.rotate(office.world) == 3
    assert office.row(made.id)["secret"] != before["secret"]
    assert set(office.reopened().deliver_until_quiet()) == {"delivered"}
    assert [sum(one.is_signed_with(secret) for one in to.mail) for secret in signing] == [1, 1, 2]


def test_an_endpoint_whose_secret_cannot_be_opened_is_not_told_unsigned(office: Office, to: Box) -> None:
    made, other = office.endpoint(to.url, "run.completed"), office.endpoint(to.url, "run.failed")
    swapped = {"secret": office.row(other.id)["secret"]}
    office.world.db.write(lambda tx: rows.change_webhook(tx, made.id, swapped))
    office.ran()
    assert office.deliver() == ["retry"]
    assert to.mail == []
    assert office.attempts[0]["error"] == "the secret of the endpoint cannot be opened"


def test_no_secret_is_in_the_record_in_the_log_or_in_a_message(
    office: Office, to: Box, state: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = office.endpoint(to.url, "run.*")
    _, fresh = webhooks.rotate(office.world, LOCAL, made.id)
    _, token, callback = keys.create(office.world, "deploy", ["runs:write"])
    to.say(500)
    office.ran(principal=principal("deploy"), callback_url=to.url)
    office.ran(callback_url=to.url)
    office.deliver_until_quiet()
    local = signing_secrets.local_secret(office.world)
    told = capfd.readouterr()
    seen = [everything_in(office), told.out, told.err, caplog.text, *map(str, to.receiver.requests)]
    assert "webhook.attempted" in told.out + caplog.text
    assert len(to.mail) >= 9 and made.id in seen[0]
    for secret in (made.secret, fresh, callback, token, local):
        assert not [text for text in seen if any(form in text for form in forms(secret))]


def everything_in(office: Office) -> str:
    """Every row of every table, of everybody."""

    def dump(tx: Tx) -> str:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in tx.rows(select(table)))

    return str(office.read(dump))


def forms(secret: str) -> Iterable[str]:
    """A secret as it might be written down."""
    text = secret.removeprefix("whsec_")
    yield text
    if text != secret:
        raw = base64.b64decode(text)
        yield from (raw.hex(), base64.urlsafe_b64encode(raw).decode(), repr(raw)[2:-1])
