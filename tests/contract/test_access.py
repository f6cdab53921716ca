"""Keys and sessions: shown once, ended at once, stored as hashes (contracts/runs.rst#keys-and-actors)."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.domain.errors import Unauthorized
from app.record import tables
from app.services import keys, sessions
from app.services.context import AppContext
from tests.contract.plant import UNKNOWN, bearer

KEYS, SESSIONS = "/v1/keys", "/v1/sessions"
ORDER = {"name": "ci", "scopes": ["runs:read"]}


@pytest.fixture
def admin(world: AppContext) -> dict[str, str]:
    """The header of a key that may do everything."""
    return bearer(world, "chief", "admin")


def login(world: AppContext, name: str = "ann") -> str:
    """The token of a fresh session of a fresh key."""
    _, token, _ = keys.create(world, name, ["runs:read"])
    return sessions.create(world, token, "Firefox")[1]


def set_session(world: AppContext, **changes: Any) -> None:
    """Change every session, as time would."""
    world.db.write(lambda tx: tx.execute(update(tables.session).values(**changes)))


def test_a_new_key_opens_what_its_scopes_say(guarded: FlaskClient, admin: dict[str, str]) -> None:
    made = guarded.post(KEYS, json=ORDER, headers=admin)
    header = {"Authorization": f"Bearer {made.get_json()['data']['token']}"}
    assert made.status_code == 201
    assert guarded.get("/v1/workflows/runs", headers=header).status_code == 200
    assert guarded.get(KEYS, headers=header).status_code == 403


def test_a_token_is_shown_by_the_answer_that_made_it_alone(
    guarded: FlaskClient, admin: dict[str, str]
) -> None:
    token = guarded.post(KEYS, json=ORDER, headers=admin).get_json()["data"]["token"]
    listed = guarded.get(KEYS, headers=admin)
    assert [key["name"] for key in listed.get_json()["data"]] == ["chief", "ci"]
    assert token.rpartition("_")[2] not in listed.get_data(as_text=True)
    assert "hash" not in listed.get_data(as_text=True)


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({**ORDER, "name": "Local Hero"}, "name"),
        ({**ORDER, "name": "local"}, "name"),
        ({**ORDER, "scopes": []}, "scopes"),
        ({**ORDER, "scopes": ["root"]}, "scopes.0"),
        ({**ORDER, "expiresAt": "2001-01-01"}, "expiresAt"),
        ({**ORDER, "token": "mine"}, "token"),
    ],
)
def test_a_wrong_key_is_refused_and_none_is_made(
    guarded: FlaskClient, world: AppContext, admin: dict[str, str], order: Any, field: str
) -> None:
    refused = guarded.post(KEYS, json=order, headers=admin)
    assert refused.status_code == 400
    assert field in refused.get_json()["error"]["details"]["fields"]
    assert [row["name"] for row in keys.list_(world)] == ["chief"]


def test_a_revoked_key_ends_its_sessions_at_once(
    guarded: FlaskClient, world: AppContext, admin: dict[str, str]
) -> None:
    session = login(world)
    row, _ = sessions.find(world, session)
    assert guarded.delete(f"{KEYS}/{row['key_id']}", headers=admin).status_code == 204
    with pytest.raises(Unauthorized):
        sessions.find(world, session)
    assert guarded.delete(f"{KEYS}/{row['key_id']}", headers=admin).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_keys_are_for_administrators(guarded: FlaskClient, world: AppContext, method: str) -> None:
    header = bearer(world, "most", "runs:read", "runs:write", "servers:write", "webhooks")
    assert guarded.open(KEYS, method=method, json=ORDER, headers=header).status_code == 403
    assert guarded.get(SESSIONS, headers=header).status_code == 403


def test_a_session_may_do_what_its_key_may_do(world: AppContext) -> None:
    row, principal = sessions.find(world, login(world))
    assert (principal.actor, principal.scopes) == ("usr_ann", frozenset({"runs:read"}))
    assert (principal.key_id, principal.door) == (row["key_id"], "console")


def test_of_a_session_only_the_hash_of_its_token_is_stored(world: AppContext) -> None:
    token = login(world)
    stored = world.db.read(lambda tx: tx.rows(select(tables.session)))
    assert token not in str(stored)
    assert token.removeprefix("wls_") not in str(stored)


@pytest.mark.parametrize(
    "changes",
    [
        {"seen_at": -sessions.IDLE_MS - 1_000},
        {"expires_at": -1_000},
        {"ended_at": -1_000},
    ],
)
def test_a_session_is_over_when_idle_old_or_ended(world: AppContext, changes: dict[str, int]) -> None:
    token, now = login(world), round(time.time() * 1000)
    set_session(world, **{name: now + offset for name, offset in changes.items()})
    with pytest.raises(Unauthorized):
        sessions.find(world, token)


def test_a_session_lives_while_it_is_used(world: AppContext) -> None:
    token, now = login(world), round(time.time() * 1000)
    set_session(world, seen_at=now - sessions.IDLE_MS + 60_000)
    sessions.find(world, token)
    assert sessions.find(world, token)[0]["seen_at"] >= now - 60_000


def test_a_session_is_ended_by_its_token_or_by_its_id(
    guarded: FlaskClient, world: AppContext, admin: dict[str, str]
) -> None:
    mine, other = login(world), login(world, "bob")
    sessions.end(world, mine)
    (left,) = guarded.get(SESSIONS, headers=admin).get_json()["data"]
    assert left["agent"] == "Firefox"
    assert guarded.delete(f"{SESSIONS}/{left['id']}", headers=admin).status_code == 204
    for token in (mine, other):
        with pytest.raises(Unauthorized):
            sessions.find(world, token)


@pytest.mark.parametrize("token", ["", "wls_nobody", "wlk_aaaaaaaa_" + "x" * 43])
def test_an_unknown_session_is_refused(world: AppContext, token: str) -> None:
    with pytest.raises(Unauthorized):
        sessions.find(world, token)


def test_a_session_begins_with_a_key_alone(world: AppContext) -> None:
    with pytest.raises(Unauthorized):
        sessions.create(world, "wlk_aaaaaaaa_" + "x" * 43)


def test_an_unknown_session_or_key_is_404(guarded: FlaskClient, admin: dict[str, str]) -> None:
    assert guarded.delete(f"{SESSIONS}/ses_{UNKNOWN}", headers=admin).status_code == 404
    assert guarded.get(f"{KEYS}/key_{UNKNOWN}", headers=admin).status_code == 404


def test_a_repeated_request_does_not_show_the_token_again(
    guarded: FlaskClient, admin: dict[str, str]
) -> None:
    headers = {**admin, "Idempotency-Key": "once"}
    first = guarded.post(KEYS, json=ORDER, headers=headers).get_json()["data"]
    again = guarded.post(KEYS, json=ORDER, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first["token"] not in again.get_data(as_text=True)
    assert first["callbackSecret"] not in again.get_data(as_text=True)
