"""Queries and answers about the audit log (contracts/runs.rst#audit)."""

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.paging import PageQuery
from app.api.http.schemas import Moment, Query, Shape, instant, word
from app.services.audit import MOST_EXPORTED


class AuditFilter(Query):
    """What narrows the audit log; all given ones must hold."""

    actor = word(128, metadata={"example": "usr_operator"})
    action = word(64, metadata={"example": "pool.change"})
    resource_type = word(32, metadata={"example": "pool", "description": "The first part of the action."})
    resource_id = word(128)
    since = Moment(metadata={"description": "Made at or after this time."})
    until = Moment(metadata={"description": "Made before this time."})

    @validates_schema
    def in_order(self, data: dict[str, int], **_: object) -> None:
        """A period that ends before it begins is a mistake."""
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("Is later than until.", "since")


class AuditQuery(AuditFilter, PageQuery):
    """The same with a place in the list."""


class ExportQuery(AuditFilter):
    """What is exported."""

    limit = fields.Integer(
        load_default=MOST_EXPORTED,
        validate=validate.Range(1, MOST_EXPORTED),
        metadata={"description": "Entries at most; narrow the period for more."},
    )


class AuditShape(Shape):
    """A change that somebody made."""

    id = fields.String(required=True)
    at = instant(required=True)
    actor = fields.String(required=True)
    key_id = fields.String(allow_none=True)
    door = fields.String(allow_none=True, metadata={"description": "api, console or cli."})
    action = fields.String(required=True)
    resource_type = fields.String(required=True)
    resource_id = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    before = fields.Raw(allow_none=True, metadata={"description": "The members that changed, as they were."})
    after = fields.Raw(allow_none=True, metadata={"description": "The same as they are, without secrets."})
    request_id = fields.String(allow_none=True)
