"""Bodies and answers about accounts at providers of servers."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from app.api.http.paging import PageQuery
from app.api.http.schemas import Body, Object, Shape, instant, whole, word

PROVIDERS = ("aws", "local", "upcloud")
SEALED = {"description": "Sealed at once, for workers alone; never shown."}
MOST_WORDS = 200  # Of a table of plans or zones.


def _web_address(text: str) -> None:
    if not text.startswith(("https://", "http://")):
        raise ValidationError("Must begin with https:// or http://.")


def table(**kwargs: Any) -> fields.Dict:
    """Our words, and the provider's."""
    member = fields.String(validate=validate.Length(1, 255))
    return fields.Dict(keys=member, values=member, validate=validate.Length(0, MOST_WORDS), **kwargs)


class Credentials(Body):
    """Who asks: accessKeyId and secretAccessKey at AWS; username and password, or token, at UpCloud."""

    access_key_id = word(128)
    secret_access_key = word(255)
    session_token = word(4096)
    username = word(255)
    password = word(255)
    token = word(255)

    @post_load
    def given(self, data: dict[str, str], **_kwargs: object) -> dict[str, str]:
        """Only what was given."""
        return dict(data)


class AccountChange(Body):
    """What changes of an account."""

    name = word(63)
    description = word(1000, shortest=0, allow_none=True)
    endpoint = fields.String(
        validate=[validate.Length(1, 1024), _web_address],
        allow_none=True,
        metadata={"description": "Base URL; the provider's own when it is left out."},
    )
    region = word(63, allow_none=True)
    zones = table(metadata={"description": "Your word for a zone, and the provider's."})
    plans = table(metadata={"description": "Your word for a plan, and the provider's; blanks do not count."})
    image = word(255, allow_none=True, metadata={"description": "Debian 12 when it is left out."})
    ssh_user = word(63)
    ssh_port = whole(1, 65_535)
    calls_at_once = whole(1, 100)
    calls_a_second = whole(1, 1000)
    credentials = fields.Nested(Credentials, metadata=SEALED)


class AccountBody(AccountChange):
    """An account to know."""

    name = word(63, required=True)
    provider = fields.String(required=True, validate=validate.OneOf(PROVIDERS))
    ssh_user = word(63, load_default="root")
    ssh_port = whole(1, 65_535, load_default=22)
    calls_at_once = whole(1, 100, load_default=4)
    calls_a_second = whole(1, 1000, load_default=5)


class AccountQuery(PageQuery):
    """Filters of the list."""

    provider = fields.String(validate=validate.OneOf(PROVIDERS))


class AccountShape(Shape):
    """An account, never its credentials."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    provider = fields.String(required=True)
    description = fields.String(allow_none=True)
    endpoint = fields.String(allow_none=True)
    region = fields.String(allow_none=True)
    zones = Object(required=True)
    plans = Object(required=True)
    image = fields.String(allow_none=True)
    ssh_user = fields.String(required=True)
    ssh_port = fields.Integer(required=True)
    calls_at_once = fields.Integer(required=True)
    calls_a_second = fields.Integer(required=True)
    credentials_version = fields.Integer(required=True)
    public_key = fields.String(
        allow_none=True, metadata={"description": "What its new servers let in, by SSH."}
    )
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)


class OfferShape(Shape):
    """A size on offer."""

    name = fields.String(required=True)
    cpus = fields.Integer(required=True)
    memory_mb = fields.Integer(required=True)


class CheckShape(Shape):
    """What a provider says to an account, or why it says nothing."""

    ok = fields.Boolean(required=True)
    name = fields.String(metadata={"description": "Who the provider takes us for."})
    clock_skew_ms = fields.Integer(
        allow_none=True, metadata={"description": "The provider's clock less ours, in milliseconds."}
    )
    plans = fields.List(fields.Nested(OfferShape))
    zones = fields.List(fields.String())
    error = Object(metadata={"description": "Code and message of the refusal."})
