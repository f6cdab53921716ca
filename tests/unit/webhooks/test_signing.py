"""Signatures, against the published vector and the reference library."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.domain.errors import ValidationFailed
from app.webhooks.signing import new_secret, sign

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


def test_during_a_rotation_receivers_with_either_secret_accept() -> None:
    headers = sign([SECRET, OTHER], "evt_1", int(time.time()), BODY)
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, headers)
    assert headers["webhook-signature"].count("v1,") == 2


def test_after_a_rotation_the_old_secret_is_refused() -> None:
    headers = sign([OTHER], "evt_1", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


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
