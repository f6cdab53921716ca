"""Queries and answers about metrics (contracts/runs.rst#metrics)."""

from marshmallow import ValidationError, fields, validates_schema

from app.api.http.schemas import Moment, Query, Shape, word


class PeriodQuery(Query):
    """Runs that ended in this period."""

    since = Moment(metadata={"description": "30 days before `until` unless given.", "example": "2026-01-01"})
    until = Moment(metadata={"description": "Now unless given."})

    @validates_schema
    def in_order(self, data: dict[str, int], **_: object) -> None:
        """A period that ends before it begins is a mistake."""
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("Is later than until.", "since")


class MetricsQuery(PeriodQuery):
    """The same, of one type."""

    type = word(64, metadata={"example": "server.provision"})


class Summary(Shape):
    """How many ended how."""

    total = fields.Integer(required=True)
    completed = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)
    success_rate = fields.Float(required=True, allow_none=True)


class Timing(Shape):
    """How long completed runs took, in milliseconds, by nearest rank."""

    p50_ms = fields.Integer(required=True, allow_none=True)
    p90_ms = fields.Integer(required=True, allow_none=True)
    p99_ms = fields.Integer(required=True, allow_none=True)
    avg_ms = fields.Integer(required=True, allow_none=True)


class FailureReason(Shape):
    """Why runs failed."""

    code = fields.String(required=True)
    count = fields.Integer(required=True)


class ByType(Shape):
    """The numbers of one type."""

    type = fields.String(required=True)
    summary = fields.Nested(Summary, required=True)
    timing = fields.Nested(Timing, required=True)


class MetricsShape(Shape):
    """The numbers of one type, or of all with those of each."""

    type = fields.String(required=True, allow_none=True)
    period = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    summary = fields.Nested(Summary, required=True)
    timing = fields.Nested(Timing, required=True)
    failure_reasons = fields.List(fields.Nested(FailureReason), required=True)
    by_type = fields.List(fields.Nested(ByType))
