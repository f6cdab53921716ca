"""Bodies, queries and answers about code workflows (contracts/code-workflows.rst#endpoints)."""

from typing import Any, NoReturn

from marshmallow import ValidationError, fields, validate

from app.api.http import schemas
from app.api.http.schemas import Body, Finished, Object, Query, instant, number, one_of, whole, word
from app.api.v1.runs.schemas import DetailQuery
from app.domain.states import API_WORDS
from windlass.durations import exact_ms
from windlass.failures import NotStorable
from windlass.values import encode
from windlass.workflow import VERSION

MOST_EVENTS = 10_000
EXAMPLE_INPUT = [{"userId": "user-123"}]


def named(**kwargs: Any) -> fields.String:
    """A name that people chose: printable, not too long."""
    rules = [validate.Length(1, 200), validate.Predicate("isprintable", error="Not printable.")]
    return fields.String(validate=rules, **kwargs)


def _check_kept(value: object) -> None:
    """Refuse what is too large to be kept, or reads like a sealed secret."""
    try:
        encode(value, "It", _no_secret)
    except NotStorable as error:
        raise ValidationError(f"{error}.") from error


def _no_secret(_text: str) -> NoReturn:
    raise NotStorable("JSON has no secrets")


class Payload(fields.Raw):
    """Any JSON value that is small enough to be kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, load_default=None, **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> object:
        _check_kept(value)
        return value


class Timeout(fields.Field[int]):
    """A duration: a number is milliseconds, a text has a unit (contracts/code-workflows.rst#durations)."""

    def __init__(self, **kwargs: Any) -> None:
        forms = {"oneOf": [{"type": "number", "minimum": 1}, {"type": "string"}], "example": "10m"}
        super().__init__(
            metadata={**forms, "description": 'Milliseconds, or a text such as "90s".'}, **kwargs
        )

    def _deserialize(self, value: Any, attr: str | None, data: object, **kwargs: object) -> int:
        try:
            milliseconds = exact_ms(value, "it")
        except ValueError as error:
            raise ValidationError(f"{error}.") from error
        if not milliseconds:
            raise ValidationError("Must be at least a millisecond.")
        return milliseconds


class TriggerBody(Body):
    """A run to start."""

    workflow_name = named(required=True, metadata={"example": "send-welcome-email"})
    input = fields.List(
        fields.Raw(allow_none=True),
        load_default=list,
        validate=_check_kept,
        metadata={"description": "The function's arguments, in order.", "example": EXAMPLE_INPUT},
    )
    kwargs = Object(
        load_default=dict,
        validate=_check_kept,
        metadata={"description": "The function's arguments by name."},
    )
    run_id = schemas.run_id(metadata={"description": "An id of your own choice, which must be free."})
    idempotency_key = word(
        255,
        metadata={"description": "The same key finds the same run of this workflow, as long as it is kept."},
    )
    parent_run_id = schemas.run_id(metadata={"description": "The run that this one belongs to."})
    max_events = whole(1, 1_000_000, metadata={"description": "Events that the run may have."})
    execution_timeout = Timeout()
    deployment_id = fields.String(
        validate=validate.Regexp(rf"(?:{VERSION.pattern})\Z", error="Not a version."),
        metadata={"description": "Version of the workflow; unless given the one that was announced last."},
    )


class RunsQuery(Query):
    """What narrows the list of runs."""

    workflow_name = named(metadata={"example": "send-welcome-email"})
    status = one_of(*API_WORDS)
    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 1000),
        metadata={"description": "Runs a page; a page has at most 100, and then a cursor.", "example": 20},
    )
    cursor = fields.String(
        validate=validate.Length(1, 1024),
        metadata={"description": "`cursor` of the page before, under the same filters."},
    )


class RunQuery(DetailQuery):
    """How long to wait for news of a run, and of which."""

    follow = schemas.Flag(
        load_default=True,
        metadata={
            "description": "A run that went on afresh (ctx.restart) is answered with the one that goes on; "
            "`false` shows the run of this very id."
        },
    )


class EventsQuery(Query):
    """Which part of the log."""

    after = number(0, 2_147_483_647, load_default=0, metadata={"description": "Events after this number."})
    limit = fields.Integer(load_default=MOST_EVENTS, validate=validate.Range(1, MOST_EVENTS))


class PatchBody(Body):
    """What a client may change; the outcome of a run is not among it, and is refused with 409."""

    execution_context = Object(
        validate=_check_kept, metadata={"description": "Whatever clients keep with the run."}
    )
    status = one_of(*API_WORDS, metadata={"description": "Only `cancelled`, which cancels the run."})
    output = fields.Raw(allow_none=True)
    error = fields.Raw(allow_none=True)
    started_at = fields.Raw(allow_none=True)
    completed_at = fields.Raw(allow_none=True)


class StopBody(Body):
    """Why a run is cancelled."""

    reason = schemas.reason()


class EmitBody(Body):
    """An event of a user's type."""

    run_id = schemas.run_id(required=True)
    event_type = named(required=True, metadata={"example": "step-started"})
    payload = Payload(metadata={"example": {"step": "process-data"}})
    correlation_id = word(128)


class SignalBody(Body):
    """A signal to a run."""

    name = named(required=True, metadata={"example": "manager-approval"})
    data = Payload(metadata={"example": {"approved": True}})
    idempotency_key = word(255, metadata={"description": "The same key is the same signal to this run."})


class HookBody(Body):
    """A hook to make: whoever calls its token sends the run the signal of its name."""

    run_id = schemas.run_id(required=True)
    name = named(required=True, metadata={"example": "document-approval"})
    action = named(metadata={"example": "approve"})
    metadata = Object(validate=_check_kept, metadata={"example": {"documentId": "doc-1"}})


class WorkflowError(Finished):
    """Why a run failed."""

    message = fields.String(required=True)
    code = fields.String()
    stack = fields.String(
        metadata={"description": "The traceback, where one run is shown: without secrets, cut."}
    )


class WorkflowRun(Finished):
    """A run of a code workflow; members that say nothing are left out."""

    run_id = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(API_WORDS))
    detail = fields.String(required=True, metadata={"description": "The finer word."})
    workflow_name = fields.String(required=True)
    deployment_id = fields.String(required=True, metadata={"description": "Version of the workflow."})
    execution_context = fields.Raw()
    input = fields.List(fields.Raw(), required=True)
    kwargs = fields.Raw()
    output = fields.Raw(metadata={"description": "Of a completed run."})
    error = fields.Nested(WorkflowError, metadata={"description": "Of a failed run."})
    waiting_on = fields.Raw(metadata={"description": "Why the run is not moving."})
    parent_run_id = fields.String()
    restarted_from = fields.String(
        metadata={"description": "The first run of those that went on afresh until this one."}
    )
    restarted_as = fields.String(metadata={"description": "The run that went on right after this one."})
    idempotency_key = fields.String()
    max_events = fields.Integer()
    execution_timeout = fields.Integer(metadata={"description": "Milliseconds."})
    cancel_requested_at = instant()
    created_at = instant(required=True)
    updated_at = instant(required=True)
    started_at = instant()
    completed_at = instant()


class WorkflowRunPage(Finished):
    """A page of runs, the newest first."""

    data = fields.List(fields.Nested(WorkflowRun), required=True)
    cursor = fields.String(required=True, allow_none=True)
    has_more = fields.Boolean(required=True)


class WorkflowEvent(Finished):
    """A line of a run's log: ours, or one that a user emitted."""

    event_id = fields.String(required=True)
    run_id = fields.String(required=True)
    seq = fields.Integer(required=True)
    event_type = fields.String(required=True)
    correlation_id = fields.String()
    payload = fields.Raw(required=True, allow_none=True)
    created_at = instant(required=True)


class WorkflowHook(Finished):
    """A hook; its token is shown this once."""

    hook_id = fields.String(required=True)
    run_id = fields.String(required=True)
    token = fields.String(required=True)
    name = fields.String(required=True)
    action = fields.String()
    metadata = fields.Raw()
    created_at = instant(required=True)


class SignalTaken(Finished):
    """That a signal was taken, or was there already."""

    signal_id = fields.String(required=True)


class HookTaken(Finished):
    """That the call of a hook was taken."""

    accepted = fields.Boolean(required=True)


class WorkflowDefinition(Finished):
    """A code workflow as its workers announced it."""

    workflow_name = fields.String(required=True)
    deployment_id = fields.String(required=True, metadata={"description": "Its version."})
    description = fields.String()
    max_events = fields.Integer()
    execution_timeout = fields.Integer()
    step_timeout = fields.Integer()
    served = fields.Boolean(required=True, metadata={"description": "Whether a worker serves it now."})
    created_at = instant(required=True)
    updated_at = instant(required=True)
