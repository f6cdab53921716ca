"""API keys: what is shown once, what is stored, and what a scope lets through."""

import pytest

from app.auth.keys import LOCAL, SCOPES, Principal, hash_of, issue, prefix_of, require, verify
from app.domain.errors import Forbidden, Unauthorized, ValidationFailed


def test_an_issued_token_verifies_against_its_record() -> None:
    token, record = issue("ci", ["runs:read"])
    assert verify(token, record.hash)
    assert token.startswith(f"wlk_{record.prefix}_")
    assert prefix_of(token) == record.prefix


def test_the_record_holds_no_part_of_the_secret() -> None:
    token, record = issue("ci", ["runs:read"])
    assert token.split("_", 2)[2] not in repr(record)


def test_a_changed_character_anywhere_is_refused() -> None:
    token, record = issue("ci", ["runs:read"])
    changed = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    assert not any(verify(one, record.hash) for one in changed)


def test_the_stored_hash_is_no_token() -> None:
    _, record = issue("ci", ["runs:read"])
    assert not verify(record.hash, record.hash)


def test_the_hash_is_plain_sha_256() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_thousand_tokens_differ() -> None:
    assert len({issue("ci", ["admin"])[0] for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text", ["", "wlk_", "wlk_abcdefgh_short", "Bearer x", "wlk_ABCDEFGH_" + "a" * 43, "\ud800"]
)
def test_what_is_no_token_is_unauthorized(text: str) -> None:
    with pytest.raises(Unauthorized):
        prefix_of(text)
    assert not verify(text, hash_of("another"))


@pytest.mark.parametrize("name", ["", "local", "projector", "CI", "a b", "-a", "a" * 64, "ci\n"])
def test_a_name_that_could_pass_for_another_actor_is_refused(name: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        issue(name, ["runs:read"])
    assert "name" in caught.value.details["fields"]


@pytest.mark.parametrize("scopes", [[], ["runs"], ["runs:read", "root"]])
def test_unknown_or_missing_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        issue("ci", scopes)
    assert "scopes" in caught.value.details["fields"]


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("asked", SCOPES)
def test_a_scope_lets_through_itself_and_admin_lets_through_all(held: str, asked: str) -> None:
    principal = issue("ci", [held])[1].principal
    assert principal.allows(asked) == (held in (asked, "admin"))


def test_requiring_a_missing_scope_is_forbidden_and_names_it() -> None:
    with pytest.raises(Forbidden) as caught:
        require(Principal(name="ci", scopes=frozenset({"runs:read"})), "runs:write")
    assert caught.value.details == {"scope": "runs:write"}


def test_asking_for_a_scope_that_does_not_exist_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="runs:reed"):
        require(LOCAL, "runs:reed")


def test_actors_are_named_after_their_key() -> None:
    assert LOCAL.actor == "usr_local"
    assert issue("ci", ["admin"])[1].principal.actor == "usr_ci"
    assert all(LOCAL.allows(scope) for scope in SCOPES)
