"""Secrets stay out of everything that is written down."""

import base64
import json
import pickle
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth.secrets import Redactor, Secret, redact

CANARY = 'c4n"ary/pass wörd'


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(CANARY)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>30}",
        f"{secret!r}",
        str([secret]),
    ]
    assert not any(CANARY in text for text in shown)
    assert secret.reveal() == CANARY


def test_a_secret_goes_neither_into_json_nor_into_a_pickle() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a" and hash(Secret("a")) == hash(Secret("a"))
    assert bool(Secret("a")) and not Secret("")


CREDENTIAL_NAMES = (
    "password passwd pwd bmcPassword BMC_PASSWORD passphrase secret clientSecret aws_secret_access_key "
    "token accessToken x-auth-token credential credentials Authorization Set-Cookie "
    "privateKey private_key apiKey api-key api_key accesskey kubeconfig"
)


@pytest.mark.parametrize("name", CREDENTIAL_NAMES.split())
def test_a_member_named_like_a_credential_loses_its_value(name: str) -> None:
    assert redact({"deep": [{name: CANARY}]}) == {"deep": [{name: "[redacted]"}]}
    assert redact({name: {"nested": 1}}) == {name: "[redacted]"}


@pytest.mark.parametrize(
    "name", ["secretRef", "secret_ref", "credentialsVersion", "tokenId", "tokenExpiresAt"]
)
def test_words_about_a_credential_stay_readable(name: str) -> None:
    assert redact({name: "sec_1"}) == {name: "sec_1"}


def test_what_is_harmless_stays_as_it_is() -> None:
    event = {
        "type": "server.provision",
        "serverId": "srv_1",
        "steps": [1, 2.5, None, True],
        "hasPassword": True,
    }
    assert redact(event) == event
    assert redact({"password": None}) == {"password": None}


def test_redacting_leaves_the_original_alone() -> None:
    event = {"input": {"password": CANARY}}
    redact(event)
    assert event == {"input": {"password": CANARY}}


FORMS = {
    "plain": CANARY,
    "json": json.dumps(CANARY)[1:-1],
    "json, as UTF-8": json.dumps(CANARY, ensure_ascii=False)[1:-1],
    "url": quote(CANARY, safe=""),
    "form": quote(CANARY, safe="").replace("%20", "+"),
    "repr of bytes": repr(CANARY.encode()),
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(CANARY.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_known_secret_is_cut_out_of_messages_in_every_usual_form(form: str) -> None:
    redactor = Redactor()
    redactor.learn(Secret(CANARY))
    scrubbed = redactor.redact({"error": f"login failed for {form}!", "raw": form.encode()})
    assert form.strip("b'") not in str(scrubbed)
    assert scrubbed["error"].startswith("login failed for ") and "[redacted]" in scrubbed["error"]


def test_a_secret_is_known_for_the_duration_of_a_call() -> None:
    redactor = Redactor()
    with redactor.knowing("hunter2"):
        assert redactor.scrub("with hunter2") == "with [redacted]"
    assert redactor.scrub("with hunter2") == "with hunter2"


def test_a_secret_within_a_longer_one_leaves_no_remainder() -> None:
    redactor = Redactor()
    redactor.learn("hunter2", "hunter2-and-more")
    assert redactor.scrub("hunter2-and-more, hunter2") == "[redacted], [redacted]"


def test_very_short_secrets_do_not_shred_messages() -> None:
    redactor = Redactor()
    redactor.learn("", "a")
    assert redactor.scrub("a bad day") == "a bad day"


def test_a_value_that_contains_itself_ends() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert "[redacted]" in str(redact(loop))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_comes_out_without_the_known_secret(value: Any) -> None:
    redactor = Redactor()
    redactor.learn("canary-8f1c")
    redacted = redactor.redact({"a": value, "b": ["x canary-8f1c", Secret("canary-8f1c")]})
    assert "canary-8f1c" not in json.dumps(redacted)
