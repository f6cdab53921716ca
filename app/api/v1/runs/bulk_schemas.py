"""Bodies and answers about many runs at once, and about what people say about one."""

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.schemas import Body, Flag, Query, Shape, instant, one_of, reason, run_id, word
from app.api.v1.runs.schemas import RunDetail, RunEvent, RunFilter
from app.services.bulk import MOST


class BulkQuery(Query):
    """Whether something is done at all."""

    dry_run = Flag(
        load_default=False,
        metadata={"description": "Count, and say which runs would be refused; change nothing."},
    )


class BulkBody(Body):
    """Which runs: by their ids, or by the filters of their list."""

    ids = fields.List(
        run_id(), validate=validate.Length(1, MOST), metadata={"description": f"At most {MOST} runs."}
    )
    filter = fields.Nested(
        RunFilter,
        metadata={"description": f"As in the list of runs; the newest {MOST} that match are meant."},
    )
    reason = reason()

    @validates_schema
    def one_way(self, data: dict[str, object], **_: object) -> None:
        """Exactly one of both."""
        if ("ids" in data) == ("filter" in data):
            raise ValidationError("Give either ids or filter, and not both.", "ids")
        if data.get("filter") == {}:
            raise ValidationError("Name at least one filter: this would be every run.", "filter")


class BulkCancelBody(BulkBody):
    """Which runs to cancel, and how."""

    mode = one_of("graceful", "abandon", "kill", load_default="graceful")


class BulkRetryBody(BulkBody):
    """Which runs to retry, and where they begin."""

    from_ = one_of("earliest", data_key="from")


class Refused(Shape):
    """A run that is not changed, and why."""

    id = fields.String(required=True)
    reason = fields.String(required=True)


class BulkResult(Shape):
    """What became of one run."""

    id = fields.String(required=True)
    status = fields.Integer(required=True, metadata={"description": "As the request about it alone has it."})
    workflow_id = fields.String(metadata={"description": "The run to follow; a retry is a new one."})
    detail = fields.String()
    error = fields.Raw(metadata={"description": "code, message and details."})


class BulkAnswer(Shape):
    """What was, or would be, done to many runs."""

    action = fields.String(required=True)
    dry_run = fields.Boolean(required=True)
    matched = fields.Integer(required=True, metadata={"description": "Runs that are meant, in all."})
    considered = fields.Integer(required=True, metadata={"description": f"Of these, {MOST} at most."})
    possible = fields.Integer(
        required=True, metadata={"description": "Of these, how many are or would be changed."}
    )
    refused = fields.List(fields.Nested(Refused), required=True)
    results = fields.List(fields.Nested(BulkResult), required=True)


class NoteBody(Body):
    """A remark."""

    text = word(2_000, required=True, metadata={"example": "controller replaced, ticket 4711"})


class NoteShape(Shape):
    """What an operator did to a run, or said about it."""

    seq = fields.Integer(required=True)
    at = instant(required=True)
    actor = fields.String(allow_none=True)
    action = fields.String(allow_none=True, metadata={"description": "note for a mere remark."})
    text = fields.String(allow_none=True)


class HookShape(Shape):
    """A hook of a run, without its token."""

    id = fields.String(required=True)
    step = fields.String(required=True)
    name = fields.String(allow_none=True, metadata={"description": "Of the signal that it sends."})
    action = fields.String(allow_none=True)
    metadata = fields.Raw(allow_none=True)
    status = one_of("open", "executed", "expired", required=True)
    created_at = instant(required=True)
    expires_at = instant(allow_none=True)
    executed_at = instant(allow_none=True)


class SignalQuery(Query):
    """Which signals."""

    unread = Flag(load_default=False, metadata={"description": "Those alone that no wait has taken."})


class SignalShape(Shape):
    """A signal that a run was sent."""

    id = fields.String(required=True)
    seq = fields.Integer(required=True)
    name = fields.String(required=True)
    payload = fields.Raw(allow_none=True)
    sender = fields.String(allow_none=True)
    received_at = instant(allow_none=True)
    consumed_by = fields.String(allow_none=True, metadata={"description": "The wait that took it."})


class ExportShape(Shape):
    """A run, its steps and its log."""

    format = fields.String(required=True)
    exported_at = instant(required=True)
    run = fields.Nested(RunDetail, required=True)
    events = fields.List(fields.Nested(RunEvent), required=True)
    truncated = fields.Boolean(
        required=True, metadata={"description": "Whether the log is longer; its pages have the rest."}
    )
