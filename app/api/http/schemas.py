"""Bases of all schemas: snake_case here, camelCase on the wire, nothing unknown, nothing twice."""

import re
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, fields, validate

from app.domain.clock import parse_time, rfc3339
from app.domain.ids import RUN_ID
from windlass.decode import camel

TAG = validate.Regexp(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]{0,62}\Z"), error="Not a tag of 1 to 63 characters."
)
MOMENT_MESSAGES: dict[str, str | list[object] | dict[object, object]] = {
    "invalid": "Not a date or time such as 2025-01-31 or 2025-01-31T10:00:00Z.",
    "beyond": "Not between 1970-01-01T00:00:00Z and 9999-12-31T23:59:59Z.",
}
EARLIEST_MS, LATEST_MS = 0, 253_402_300_799_000  # 1970 and the year 9999.


class Body(Schema):
    """What a client sends."""

    class Meta:
        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[object]) -> None:
        """Name each member in camelCase."""
        field_obj.data_key = field_obj.data_key or camel(field_name)


class Query(Body):
    """The part of an address after the question mark."""

    error_messages = {"unknown": "Unknown query parameter."}  # noqa: RUF012


class Shape(Schema):
    """What the service answers; objects come in camelCase from `app.services.present`.

    Version 1 only adds: a client must bear members that it does not know.
    """

    class Meta:
        unknown = INCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[object]) -> None:
        """Read and write each member in camelCase."""
        field_obj.data_key = field_obj.attribute = camel(field_name)


class Finished(Shape):
    """What `app.services.present` makes member by member as it is shown: nothing is left to convert."""

    def dump(self, obj: object, *, many: bool | None = None) -> object:
        """The object itself."""
        return obj


class Moment(fields.Field[int]):
    """A point in time: ISO 8601 on the wire (a bare date is its midnight in UTC), milliseconds inside."""

    default_error_messages = MOMENT_MESSAGES

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        try:
            at = parse_time(value)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.make_error("invalid") from error
        if not EARLIEST_MS <= at <= LATEST_MS:
            raise self.make_error("beyond")
        return at

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return rfc3339(value) if isinstance(value, int) else value


def instant(**kwargs: Any) -> fields.String:
    """A point in time in an answer, which `app.services.present` has made a text of RFC 3339."""
    metadata = {"format": "date-time", **kwargs.pop("metadata", {})}
    return fields.String(metadata=metadata, **kwargs)


class Flag(fields.Boolean):
    """Exactly true or false: a query spells them so, a body has them as JSON."""

    truthy = {"true", True}  # noqa: RUF012
    falsy = {"false", False}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool) and value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Object(fields.Dict):
    """A JSON object of free form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), **kwargs)


def whole(low: int, high: int, **kwargs: Any) -> fields.Integer:
    """A whole number; texts and fractions are refused in bodies."""
    return fields.Integer(strict=True, validate=validate.Range(low, high), **kwargs)


def number(low: int, high: int, **kwargs: Any) -> fields.Integer:
    """A whole number in a query, where everything is text."""
    return fields.Integer(validate=validate.Range(low, high), **kwargs)


def word(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    """A text of limited length."""
    return fields.String(validate=validate.Length(shortest, longest), **kwargs)


def run_id(**kwargs: Any) -> fields.String:
    """The id of a run."""
    pattern = re.compile(RUN_ID.pattern + r"\Z")
    return fields.String(validate=validate.Regexp(pattern, error="Not the id of a run."), **kwargs)


def address(**kwargs: Any) -> fields.URL:
    """An absolute http or https URL; hosts of a private network have no top-level domain."""
    length = validate.Length(max=2048)
    return fields.URL(schemes={"http", "https"}, require_tld=False, validate=length, **kwargs)


def one_of(*choices: str, **kwargs: Any) -> fields.String:
    """One of a few words."""
    error = "Must be one of: {choices}."
    return fields.String(validate=validate.OneOf(choices, error=error), **kwargs)


def reason(**kwargs: Any) -> fields.String:
    """Why somebody does something; kept in the log of the run."""
    return fields.String(
        validate=validate.Length(1, 500),
        metadata={"description": "Why; kept with the event.", "example": "cable was loose"},
        **kwargs,
    )


def tags() -> fields.List[str]:
    """Up to 20 different tags."""
    return fields.List(
        fields.String(validate=TAG), validate=validate.Length(max=20), metadata={"example": ["rack-7"]}
    )


def flattened(messages: object, prefix: str = "") -> dict[str, str]:
    """Marshmallow's nested messages as ``{"nodePools.0.name": "…"}``."""
    if isinstance(messages, dict):
        parts = (
            flattened(inner, f"{prefix}.{name}" if prefix else str(name)) for name, inner in messages.items()
        )
        return {name: problem for part in parts for name, problem in part.items()}
    texts = messages if isinstance(messages, list) else [messages]
    return {_named(prefix): " ".join(str(text).rstrip(".") + "." for text in texts)}


def _named(path: str) -> str:
    # What concerns an object as a whole stands under "_schema".
    return path.removesuffix("_schema").rstrip(".") or "body"
