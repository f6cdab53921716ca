"""Answers about workers and queues."""

from marshmallow import fields

from app.api.http.schemas import Body, Shape, instant, reason


class WorkerShape(Shape):
    """A pool of worker processes, a reconciler or a projector."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    queues = fields.List(fields.String(), required=True)
    processes = fields.Integer(allow_none=True)
    release = fields.String(allow_none=True)
    started_at = instant(required=True)
    last_seen_at = instant(required=True)
    silent_ms = fields.Integer(required=True)
    can_drain = fields.Boolean(required=True)
    drained = fields.Boolean(required=True, metadata={"description": "Whether it is to take nothing new."})
    drained_by = fields.String(allow_none=True)


class WorkerBody(Body):
    """Why a pool is drained, or takes work again."""

    reason = reason()


class WorkerChanged(Shape):
    """Whether a pool takes work."""

    name = fields.String(required=True)
    drained = fields.Boolean(required=True)


class QueueShape(Shape):
    """A queue: messages in Redis, null while it is away, and who serves it."""

    queue = fields.String(required=True)
    length = fields.Integer(allow_none=True)
    workers = fields.Integer(required=True)
    processes = fields.Integer(required=True)
    expected = fields.Boolean(
        required=True, metadata={"description": "Whether the record has work that waits for this queue."}
    )
