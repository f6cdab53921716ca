"""Bodies and answers about webhooks (contracts/runs.rst#webhooks)."""

from marshmallow import fields, validate

from app.api.http.paging import PageQuery
from app.api.http.schemas import Body, Flag, Shape, instant, one_of, word

URL = validate.Length(1, 2048)
STATUSES = ("pending", "delivering", "delivered", "dead")


class WebhookBody(Body):
    """An endpoint to make."""

    url = fields.String(
        required=True, validate=URL, metadata={"example": "https://receiver.example/windlass"}
    )
    events = fields.List(
        word(64), required=True, validate=validate.Length(1, 50), metadata={"example": ["run.*"]}
    )
    description = word(500, shortest=0)
    active = Flag(load_default=True)


class WebhookChange(Body):
    """What changes of an endpoint."""

    url = fields.String(validate=URL)
    events = fields.List(word(64), validate=validate.Length(1, 50))
    description = word(500, shortest=0, allow_none=True)
    active = Flag()


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    status = one_of(*STATUSES)


class WebhookShape(Shape):
    """An endpoint, without its secret."""

    id = fields.String(required=True)
    url = fields.String(required=True)
    description = fields.String(allow_none=True)
    events = fields.List(fields.String(), required=True)
    active = fields.Boolean(required=True)
    disabled_reason = fields.String(allow_none=True)
    run_id = fields.String(allow_none=True)
    old_secret_until = fields.String(allow_none=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)


class WebhookOnce(WebhookShape):
    """An endpoint with its secret, which is shown this once."""

    secret = fields.String(required=True)


class AttemptShape(Shape):
    """One attempt."""

    attempt = fields.Integer(required=True)
    at = instant(allow_none=True)
    status = fields.Integer(allow_none=True)
    latency_ms = fields.Integer(allow_none=True)
    answer = fields.String(allow_none=True)
    error = fields.String(allow_none=True)


class DeliveryShape(Shape):
    """One event on its way to one endpoint."""

    id = fields.String(required=True)
    webhook_id = fields.String(required=True)
    run_id = fields.String(allow_none=True)
    seq = fields.Integer(allow_none=True)
    event = fields.String(required=True)
    status = fields.String(required=True)
    attempt = fields.Integer(required=True)
    next_at = instant(allow_none=True)
    created_at = instant(required=True)
    delivered_at = instant(allow_none=True)
    attempts = fields.List(fields.Nested(AttemptShape), required=True)
