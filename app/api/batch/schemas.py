"""The schemas of requests and responses about batches; members of JSON are in snake_case."""

from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate

from app.api.http.schemas import Flag, number, one_of, whole, word
from app.domain.batch import words
from app.domain.batch.drawing import FORMATS

STATUSES = (
    *("Pending", "Running", "Completed", "PartiallyCompleted", "Failed", "Cancelled"),
    *("RollingBack", "RolledBack", "RollbackFailed"),
)
OPERATION_STATUSES = (
    *("Pending", "Blocked", "Running", "Retrying", "Completed", "Failed", "Skipped", "Cancelled"),
    *("RollingBack", "RolledBack", "RollbackFailed"),
)


class RequestSchema(Schema):
    """What a client sends; nothing unknown."""

    class Meta:
        unknown = RAISE


class QuerySchema(RequestSchema):
    """The part of an address after the question mark."""

    error_messages = {"unknown": "Unknown query parameter."}  # noqa: RUF012


class ResponseSchema(Schema):
    """What the service answers, as `app.services.batches` makes it: nothing is left to convert."""

    class Meta:
        unknown = INCLUDE

    def dump(self, obj: object, *, many: bool | None = None) -> object:
        """The object itself."""
        return obj


def ids(**kwargs: Any) -> fields.List[str]:
    """Ids of operations."""
    pattern = validate.Regexp(rf"^{words.ID.pattern}\Z", error=f"Must be {words.ID_RULE}.")
    return fields.List(
        fields.String(validate=pattern), validate=validate.Length(max=words.MOST_OPERATIONS), **kwargs
    )


class SubmitQuery(QuerySchema):
    """Options of a submit beside the text of a definition."""

    dry_run = Flag(load_default=False, metadata={"description": "Show what would be done; store nothing."})
    idempotency_key = word(255)
    only_ = ids(
        data_key="only",
        load_default=list,
        metadata={"description": "These operations and their hard dependencies."},
    )
    except_ = ids(load_default=list, data_key="except")


class BatchQuery(QuerySchema):
    """Which batches."""

    status = fields.String(
        validate=lambda text: _known_status(text),
        metadata={"enum": list(STATUSES), "description": "In any case."},
    )
    name = word(128)
    limit = number(1, 1000, load_default=50)
    offset = number(0, 10_000_000, load_default=0)


def _known_status(text: str) -> None:
    if text.lower() not in {one.lower() for one in STATUSES}:
        raise ValidationError(f"Must be one of: {', '.join(STATUSES)}.")


class DetailQuery(QuerySchema):
    """How much of a batch."""

    items = Flag(load_default=True)


class ItemsQuery(QuerySchema):
    """Which items of an operation."""

    limit = number(1, 1000, load_default=50)
    offset = number(0, 10_000_000, load_default=0)


class GraphQuery(QuerySchema):
    """How a graph is drawn."""

    format = one_of(*FORMATS, load_default="json")


class BatchRollbackBody(RequestSchema):
    """What is undone; without members everything that stands."""

    checkpoint_id = word(64, metadata={"description": "Undo only what completed after this checkpoint."})
    operations = ids(load_default=list)
    force = Flag(
        load_default=False,
        metadata={"description": "Although rollback is disabled, or others build on it."},
    )
    dry_run = Flag(load_default=False)


class BatchCancelBody(RequestSchema):
    """How a batch is stopped."""

    rollback = Flag(load_default=False)


class BatchRetryBody(RequestSchema):
    """What is done again."""

    from_ = word(
        64, data_key="from", load_default="failed", metadata={"description": "failed, or a checkpoint."}
    )
    operations = ids(load_default=list)
    only_failed = Flag(load_default=True)


class BatchCheckpointBody(RequestSchema):
    """A checkpoint by hand."""

    name = word(128)


class BatchEmptyBody(RequestSchema):
    """An empty body."""


class BatchSubmitted(ResponseSchema):
    """A batch that was accepted, or would be."""

    workflow_id = fields.String(allow_none=True, required=True)
    name = fields.String(required=True)
    version = fields.String(required=True)
    status = one_of(*STATUSES)
    total_operations = fields.Integer(required=True)
    total_items = fields.Integer(required=True)
    levels = fields.List(fields.List(fields.String()), required=True)
    warnings = fields.List(fields.String())
    plan = fields.Dict(metadata={"description": "Of a dry run: items, locks, duration, order of rollback."})


class BatchSummary(ResponseSchema):
    """A batch in a list."""

    workflow_id = fields.String(required=True)
    name = fields.String(required=True)
    version = fields.String(required=True)
    status = one_of(*STATUSES, required=True)
    total_operations = fields.Integer()
    completed_operations = fields.Integer()
    failed_operations = fields.Integer()
    created_at = fields.String(metadata={"format": "date-time"})
    started_at = fields.String(metadata={"format": "date-time"}, allow_none=True)
    completed_at = fields.String(metadata={"format": "date-time"}, allow_none=True)


class BatchOperation(ResponseSchema):
    """An operation and how far it is."""

    id = fields.String(required=True)
    type = one_of(*words.OPERATION_TYPES, required=True)
    provider = one_of(*words.PROVIDERS, required=True)
    status = one_of(*OPERATION_STATUSES, required=True)
    dependencies = fields.List(fields.Dict(), required=True)
    attempts = fields.Integer()
    items = fields.List(fields.Dict())
    output = fields.Raw(allow_none=True)
    error = fields.Raw(allow_none=True)


class BatchDetail(BatchSummary):
    """A batch with its operations, checkpoints and rollback."""

    storage_backend = one_of(*words.BACKENDS)
    parallel_limit = whole(1, words.MOST_OPERATIONS)
    rollback_enabled = fields.Boolean()
    operations = fields.List(fields.Nested(BatchOperation), required=True)
    checkpoints = fields.List(fields.Dict())
    rollback = fields.Dict(allow_none=True)
    retry_of = fields.String(allow_none=True)
    rollback_of = fields.String(allow_none=True)
    error = fields.Raw(allow_none=True)


class BatchProgress(ResponseSchema):
    """How far a batch is."""

    workflow_id = fields.String(required=True)
    status = one_of(*STATUSES, required=True)
    total_operations = fields.Integer(required=True)
    completed_operations = fields.Integer(required=True)
    failed_operations = fields.Integer(required=True)
    running_operations = fields.List(fields.String(), required=True)
    pending_operations = fields.List(fields.String(), required=True)
    percent = fields.Float(required=True)
    current_level = fields.Integer(allow_none=True)
    estimated_completion = fields.String(metadata={"format": "date-time"}, allow_none=True)
    last_checkpoint = fields.Raw(allow_none=True)


class BatchRollback(ResponseSchema):
    """A rollback that was started, or would be."""

    rollback_id = fields.String(allow_none=True, required=True)
    workflow_id = fields.String(required=True)
    status = one_of(*STATUSES)
    operations = fields.List(fields.Raw(), required=True)


class BatchChanged(ResponseSchema):
    """What became of a request about a batch."""

    workflow_id = fields.String(required=True)
    status = one_of(*STATUSES)


class BatchStats(ResponseSchema):
    """Figures of all batches."""

    total = fields.Integer(required=True)
    by_status = fields.Dict(required=True)
    by_provider = fields.Dict(required=True)
    by_operation_type = fields.Dict(required=True)
    success_rate = fields.Float(allow_none=True)
    avg_duration_seconds = fields.Float(allow_none=True)
    rollbacks = fields.Dict(required=True)
    active = fields.Integer(required=True)
    queued = fields.Integer(required=True)


class BatchGraph(ResponseSchema):
    """The graph of a batch."""

    levels = fields.List(fields.List(fields.String()), required=True)
    nodes = fields.List(fields.Dict(), required=True)
    edges = fields.List(fields.Dict(), required=True)


class BatchItem(ResponseSchema):
    """One item of an operation."""

    name = fields.String(required=True)
    status = one_of(*OPERATION_STATUSES, required=True)
    resource_id = fields.String(allow_none=True)
    error = fields.Raw(allow_none=True)
