"""Bodies and answers about pools (contracts/runs.rst#servers-pools-and-hooks)."""

from typing import Any

from marshmallow import fields, validate

from app.api.http.schemas import Body, Shape, instant, word


def named_values(**given: Any) -> fields.Dict:
    """Up to 50 names with values."""
    return fields.Dict(
        keys=fields.String(validate=validate.Length(1, 63)),
        values=fields.String(validate=validate.Length(0, 255)),
        validate=validate.Length(max=50),
        **given,
    )


class PoolBody(Body):
    """A pool to make."""

    name = word(63, required=True)
    labels = named_values(load_default=dict)


class PoolChange(Body):
    """What changes of a pool."""

    name = word(63)
    labels = named_values()


class Capacity(Shape):
    """How many machines there are."""

    total = fields.Integer(required=True)
    free = fields.Integer(required=True)


class PoolShape(Shape):
    """A pool."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    capacity = fields.Nested(Capacity, required=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)
