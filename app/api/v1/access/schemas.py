"""Bodies and answers about API keys and sessions (contracts/runs.rst#keys-and-actors)."""

from marshmallow import fields, validate

from app.api.http.paging import PageQuery
from app.api.http.schemas import Body, Moment, Shape, instant, one_of, word
from app.auth.keys import SCOPES


class KeyBody(Body):
    """A key to make."""

    name = word(63, required=True, metadata={"example": "ci"})
    scopes = fields.List(
        one_of(*SCOPES),
        required=True,
        validate=validate.Length(1, len(SCOPES)),
        metadata={"example": ["runs:read"], "description": "`admin` implies every other."},
    )
    expires_at = Moment(metadata={"description": "Never unless given."})


class KeyShape(Shape):
    """A key, without its token."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "The visible part of its token."})
    scopes = fields.List(one_of(*SCOPES), required=True)
    state = one_of("valid", "expired", "revoked", required=True)
    created_at = instant(required=True)
    expires_at = instant(allow_none=True)
    used_at = instant(allow_none=True, metadata={"description": "To within a minute."})
    revoked_at = instant(allow_none=True)


class NewKeyShape(KeyShape):
    """A new key with what is shown this once."""

    token = fields.String(required=True)
    callback_secret = fields.String(
        required=True, metadata={"description": "Signs the callbacks of runs that this key starts."}
    )


class SessionQuery(PageQuery):
    """What narrows the list of sessions."""

    key_id = word(64)


class SessionShape(Shape):
    """A session of a person, without its token."""

    id = fields.String(required=True)
    key_id = fields.String(required=True)
    agent = fields.String(allow_none=True, metadata={"description": "The browser, as it calls itself."})
    created_at = instant(required=True)
    seen_at = instant(required=True, metadata={"description": "To within a minute."})
    expires_at = instant(required=True)
