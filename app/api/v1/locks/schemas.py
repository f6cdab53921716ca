"""Queries, bodies and answers about locks."""

import re

from marshmallow import fields, validate

from app.api.http.paging import PageQuery
from app.api.http.schemas import Body, Shape, instant, reason
from app.domain.ids import RESOURCE_LOCK

RESOURCE = validate.Regexp(
    re.compile(RESOURCE_LOCK.pattern + r"\Z"), error='Not a resource such as "server/srv_…".'
)


class LockQuery(PageQuery):
    """Which locks."""

    resource = fields.String(validate=RESOURCE, metadata={"example": "server/srv_01kc9v5q8w3f7x2m4n6p8r0t1v"})


class ReleaseBody(Body):
    """Why a lock is taken away."""

    reason = reason(required=True)


class Waiter(Shape):
    """A run in the line."""

    run_id = fields.String(required=True)
    since = instant(required=True)


class LockShape(Shape):
    """A lock, the run that holds it, and those that wait."""

    resource = fields.String(required=True)
    run_id = fields.String(required=True)
    type = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)
    step = fields.String(allow_none=True)
    fence = fields.Integer(required=True)
    granted_at = instant(required=True)
    age_ms = fields.Integer(required=True)
    waiters = fields.List(fields.Nested(Waiter), required=True)
