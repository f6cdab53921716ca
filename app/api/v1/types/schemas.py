"""Bodies and answers about the catalogue."""

from marshmallow import fields

from app.api.http.schemas import Body, Finished, one_of, reason
from app.api.v1.runs.schemas import PlannedStep
from app.domain.states import ON_FAILURE


class TypeActionBody(Body):
    """What an operator does to a type."""

    action = one_of("pause", "resume", required=True)
    reason = reason()


class TypeShape(Finished):
    """A workflow type."""

    type = fields.String(required=True)
    resource = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    input_schema = fields.Raw(required=True, metadata={"type": "object", "description": "JSON Schema."})
    steps = fields.List(fields.Nested(PlannedStep), required=True)
    on_failure = one_of(*ON_FAILURE, required=True)
    hold_ms = fields.Integer()
    expected_duration_ms = fields.Integer(allow_none=True)
    paused = fields.Boolean(required=True)
    reason = fields.String(allow_none=True)
