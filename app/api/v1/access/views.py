"""API keys and sessions (contracts/runs.rst#keys-and-actors)."""

from typing import Any

from flask import Response

from app.api.http import paging
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1.access import examples
from app.api.v1.access.schemas import KeyBody, KeyShape, NewKeyShape, SessionQuery, SessionShape
from app.services import keys, sessions

access = Family("access", "API keys, and the sessions that people began with them.")


@access.serve("GET", "/v1/keys", "listKeys", scope="admin")
@access.response(200, KeyShape(many=True), example=[examples.KEY])
def list_keys() -> Answer:
    """Every key, oldest first, revoked ones too; never a token."""
    return keys.shown(world())


@access.serve("POST", "/v1/keys", "createKey", scope="admin")
@access.arguments(KeyBody, example={"name": "ci", "scopes": ["runs:read", "runs:write"]})
@access.response(201, NewKeyShape, example={**examples.KEY, **examples.KEY_SECRETS})
def create_key(body: dict[str, Any]) -> Answer:
    """Make a key; its token and callback secret are shown in this answer alone."""
    expires = body.get("expires_at")
    row, token, secret = keys.create(world(), body["name"], body["scopes"], expires, by=principal())
    made = {**keys.key_object(row, row["created_at"]), "token": token, "callbackSecret": secret}
    return made, 201, {"Location": f"/v1/keys/{row['id']}"}


@access.serve("GET", "/v1/keys/<key_id>", "getKey", scope="admin")
@access.response(200, KeyShape, example=examples.KEY)
def get_key(key_id: str) -> Answer:
    """One key, without its token."""
    return keys.show(world(), key_id)


@access.serve("DELETE", "/v1/keys/<key_id>", "revokeKey", scope="admin")
@access.response(204)
def revoke_key(key_id: str) -> Response:
    """Make a key useless at once, and end its sessions."""
    keys.revoke(world(), key_id, by=principal())
    return Response(status=204)


@access.serve("GET", "/v1/sessions", "listSessions", scope="admin")
@access.arguments(SessionQuery, location="query")
@access.response(200, SessionShape(many=True), example=[examples.SESSION])
def list_sessions(query: dict[str, Any]) -> Answer:
    """Open sessions, newest first, of one key or of all."""
    found = sessions.list_(world(), query.get("key_id"), paging.window(query))
    return paging.answer(query, found, [sessions.session_object(row) for row in found.rows])


@access.serve("DELETE", "/v1/sessions/<session_id>", "endSession", scope="admin")
@access.response(204)
def end_session(session_id: str) -> Response:
    """End a session at once; one that has ended stays so."""
    sessions.end_one(world(), principal(), session_id)
    return Response(status=204)
