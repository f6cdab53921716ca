"""Signatures, against the published vector and the reference library in both directions."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.domain.errors import Unauthorized, ValidationFailed
from app.webhooks.signing import new_secret, sign, verify

SECRET, OTHER = new_secret(), new_secret()
BODY = b'{"type":"run.completed","timestamp":"2026-11-20T10:00:00Z","data":{"id":"run_1"}}'
NOW = 1_790_000_000


def test_the_published_vector_is_reproduced() -> None:
    headers = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(deadline=None)
@given(body=st.text().map(str.encode))
def test_the_reference_library_accepts_what_we_sign(body: bytes) -> None:
    headers = sign([SECRET], "evt_1", int(time.time()), body)
    Webhook(SECRET).verify(body, headers, json_parse=False)


@settings(deadline=None)
@given(body=st.text())
def test_we_accept_what_the_reference_library_signs(body: str) -> None:
    moment = datetime.fromtimestamp(NOW, UTC)
    signature = Webhook(SECRET).sign("evt_1", moment, body)
    headers = {"Webhook-Id": "evt_1", "Webhook-Timestamp": str(NOW), "Webhook-Signature": signature}
    verify([SECRET], headers, body.encode(), NOW)


def test_during_a_rotation_receivers_with_either_secret_accept() -> None:
    headers = sign([SECRET, OTHER], "evt_1", int(time.time()), BODY)
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, headers)
        verify([secret], headers, BODY, time.time())
    assert headers["webhook-signature"].count("v1,") == 2


def test_after_a_rotation_the_old_secret_is_refused() -> None:
    headers = sign([OTHER], "evt_1", int(time.time()), BODY)
    with pytest.raises(Unauthorized):
        verify([SECRET], headers, BODY, time.time())
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "x", "1790000001", "v1,AAAA", "v1", "é"])
def test_a_changed_or_missing_header_is_refused(name: str, value: str | None) -> None:
    headers = sign([SECRET], "evt_1", NOW, BODY)
    changed = {key: text for key, text in headers.items() if key != name} | ({name: value} if value else {})
    with pytest.raises(Unauthorized):
        verify([SECRET], changed, BODY, NOW)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(Unauthorized):
        verify([SECRET], sign([SECRET], "evt_1", NOW, BODY), BODY + b" ", NOW)


@pytest.mark.parametrize("late", [-301, 301])
def test_a_message_from_another_time_is_a_replay(late: int) -> None:
    headers = sign([SECRET], "evt_1", NOW, BODY)
    verify([SECRET], headers, BODY, NOW + late // 301 * 300)
    with pytest.raises(Unauthorized):
        verify([SECRET], headers, BODY, NOW + late)


BARE = pytest.param(SECRET[6:], id="without its prefix")


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_AAAA", BARE, "whsec_!", "whsec_" + "A" * 88, "whsec_é"]
)
def test_a_secret_of_another_form_or_size_is_refused(secret: str) -> None:
    with pytest.raises(ValidationFailed):
        sign([secret], "evt_1", NOW, BODY)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\r\nx: y", "é"])
def test_a_message_id_cannot_shift_the_signed_text_or_the_headers(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        sign([SECRET], message_id, NOW, BODY)


def test_secrets_are_of_256_bits_and_differ() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == len("whsec_") + 44
