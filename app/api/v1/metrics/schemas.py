"""Queries and answers about metrics (contracts/runs.rst#metrics)."""

from marshmallow import ValidationError, fields, validates_schema

from app.api.http.schemas import Flag, Moment, Query, Shape, instant, one_of, word
from app.api.v1.metrics.numbers import INTERVALS


class PeriodQuery(Query):
    """Runs that ended in this period."""

    since = Moment(metadata={"description": "30 days before `until` unless given.", "example": "2026-01-01"})
    until = Moment(metadata={"description": "Now unless given."})
    interval = one_of(*INTERVALS, metadata={"description": "Have the numbers of each such part as well."})
    breakdown = Flag(
        load_default=False,
        metadata={"description": "Have reasons by step and by resource, and times of steps, as well."},
    )

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


class Bucket(Shape):
    """The numbers of a part of the period."""

    from_ = instant(required=True)
    summary = fields.Nested(Summary, required=True)
    timing = fields.Nested(Timing, required=True)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[object]) -> None:
        """`from` is a word of Python."""
        super().on_bind_field(field_name.removesuffix("_"), field_obj)


class StepReason(Shape):
    """Why runs failed at a step."""

    step = fields.String(required=True)
    code = fields.String(required=True)
    count = fields.Integer(required=True)


class ResourceReason(Shape):
    """Why runs on a resource failed."""

    resource_id = fields.String(required=True)
    code = fields.String(required=True)
    count = fields.Integer(required=True)


class StepTimes(Timing):
    """How long a step took in the last completed runs of the type."""

    step = fields.String(required=True)
    runs = fields.Integer(required=True)


class MetricsShape(Shape):
    """The numbers of one type, or of all with those of each."""

    type = fields.String(required=True, allow_none=True)
    period = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    summary = fields.Nested(Summary, required=True)
    timing = fields.Nested(Timing, required=True)
    failure_reasons = fields.List(fields.Nested(FailureReason), required=True)
    by_type = fields.List(fields.Nested(ByType))
    interval = one_of(*INTERVALS)
    buckets = fields.List(fields.Nested(Bucket), metadata={"description": "With `interval`."})
    failures_by_step = fields.List(fields.Nested(StepReason), metadata={"description": "With `breakdown`."})
    failures_by_resource = fields.List(
        fields.Nested(ResourceReason), metadata={"description": "With `breakdown`."}
    )
    steps = fields.List(fields.Nested(StepTimes), metadata={"description": "With `breakdown`, of one type."})
