"""What the probes answer."""

from marshmallow import fields, validate

from app.api.http.schemas import Shape


class HealthShape(Shape):
    """Whether the service works, and which part does not."""

    status = fields.String(required=True, validate=validate.OneOf(("ok", "degraded", "failing")))
    parts = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
