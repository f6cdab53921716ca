"""Bodies, queries and answers about runs (contracts/runs.rst#cancel-and-retry)."""

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.paging import PageQuery
from app.api.http.schemas import (
    TAG,
    Body,
    Finished,
    Flag,
    Moment,
    Object,
    Query,
    Shape,
    address,
    instant,
    number,
    one_of,
    reason,
    run_id,
    tags,
    word,
)
from app.domain.events import EventType
from app.domain.run_kind import RunKind
from app.domain.states import API_WORDS, ON_FAILURE, ORDERED_ON_FAILURE, RunStatus, StepStatus
from app.services.present import STEP_WORDS

ACTIONS = ("resume", "compensate", "skip", "resolve", "pause", "unpause", "acknowledge")
LONGEST_WAIT_S = 30


def several(one: fields.String, about: str, name: str | None = None) -> fields.List[str]:
    """Up to ten values, each as a parameter of its own; ``name`` is that of the parameter."""
    length = validate.Length(1, 10)
    return fields.List(one, data_key=name, validate=length, metadata={"description": about})


class RunFilter(Query):
    """What narrows runs; all given parameters must hold."""

    kind = one_of(*map(str, RunKind), metadata={"description": "What moves the run on."})
    type = several(word(64, metadata={"example": "server.provision"}), "One of these types.")
    not_type = several(word(64), "None of these types.", "-type")
    status = several(one_of(*API_WORDS), "One of these.")
    not_status = several(one_of(*API_WORDS), "None of these.", "-status")
    detail = several(one_of(*map(str, RunStatus)), "One of these finer words of the run's state.")
    not_detail = several(one_of(*map(str, RunStatus)), "None of these.", "-detail")
    q = word(
        128,
        metadata={
            "example": "8r0t1v2w",
            "description": "The beginning of a run's id, or at least six characters of its end; or a part of"
            " the name, serial number, address or id of what it works on.",
        },
    )
    error_code = word(64, metadata={"example": "BMC_REFUSED"})
    acknowledged = Flag(metadata={"description": "Whether somebody has said that it is dealt with."})
    resource_type = one_of("server", "cluster", "vm", "management")
    resource_id = word(128)
    triggered_by = word(128, metadata={"example": "usr_operator"})
    since = Moment(metadata={"description": "Started, or created if not yet started, at or after this time."})
    until = Moment(metadata={"description": "Started, or created if not yet started, before this time."})
    retry_of = run_id(metadata={"description": "Runs that retried this one."})
    parent_run_id = run_id(metadata={"description": "Runs that this one started."})
    needs_operator = Flag(metadata={"description": "Whether nothing happens until an operator decides."})
    waiting = Flag(metadata={"description": "Whether the run is not moving and says on what it waits."})
    tag = fields.List(fields.String(validate=TAG), metadata={"description": "May be given several times."})

    @validates_schema
    def in_order(self, data: dict[str, int], **_: object) -> None:
        """A period that ends before it begins is a mistake."""
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("Is later than until.", "since")


class RunQuery(RunFilter, PageQuery):
    """The same with a place in the list."""


class StartQuery(Query):
    """How a run is started."""

    dry_run = Flag(load_default=False, metadata={"description": "Answer the plan and store nothing."})
    on_conflict = one_of(
        "reject",
        "queue",
        load_default="reject",
        metadata={"description": "What to do when the resource is locked."},
    )


class StartBody(Body):
    """A run to start."""

    type = word(64, required=True, metadata={"example": "server.inspect"})
    input = Object(load_default=dict, metadata={"description": "As the type's inputSchema says."})
    resource_id = word(128, metadata={"example": "srv_01kc9v5q8w3f7x2m4n6p8r0t1v"})
    on_failure = one_of(*ORDERED_ON_FAILURE)
    tags = tags()
    idempotency_key = word(
        255, metadata={"description": "The same key finds the same run, as long as it is kept."}
    )
    callback_url = address()


class DetailQuery(Query):
    """How long to wait for news of a run."""

    wait = number(0, LONGEST_WAIT_S, metadata={"description": "Seconds to wait for a change."})


class CancelBody(Body):
    """How to cancel."""

    reason = reason()
    mode = one_of("graceful", "abandon", "kill", load_default="graceful")


class CancelPlan(Shape):
    """What a cancel would do."""

    run_id = fields.String(required=True)
    type = fields.String(required=True)
    mode = one_of("graceful", "abandon", "kill", required=True)
    finishes = fields.List(
        fields.String(), required=True, metadata={"description": "Steps that run, and end first."}
    )
    killed = fields.List(
        fields.String(), required=True, metadata={"description": "Steps whose workers are killed."}
    )
    undone = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Steps in the order of their undo."},
    )
    stays = fields.List(
        fields.String(), required=True, metadata={"description": "Steps that had an effect, which stays."}
    )
    never_starts = fields.List(fields.String(), required=True)
    locks = fields.List(
        fields.String(), required=True, metadata={"description": "Released when the run has ended."}
    )


class RetryQuery(Query):
    """How a run is retried or cancelled."""

    dry_run = Flag(load_default=False, metadata={"description": "Answer the plan and store nothing."})


class RetryBody(Body):
    """Where and with what to go on."""

    from_step = word(128)
    from_ = one_of("earliest", data_key="from")
    input = Object()
    reason = reason()


class RunActionBody(Body):
    """What an operator does to a run."""

    action = one_of(*ACTIONS, required=True)
    step = word(128)
    reason = reason()


class EventQuery(Query):
    """Which part of the log."""

    after = number(0, 2_147_483_647, metadata={"description": "Events after this number."})
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 100))
    cursor = fields.String(validate=validate.Length(1, 1024))


class StateQuery(Query):
    """At which event."""

    as_of = number(1, 2_147_483_647)


class RunError(Shape):
    """Why a run failed."""

    code = fields.String(required=True)
    message = fields.String(allow_none=True)
    step = fields.String(allow_none=True)
    retry_from = fields.String(
        metadata={"description": "Where a retry has to begin, when that is not the failed step."}
    )


class BriefStep(Shape):
    """A step in a list of runs."""

    name = fields.String(required=True)
    status = one_of(*sorted(set(STEP_WORDS.values())), required=True)
    duration_ms = fields.Integer()


class RetryPolicy(Shape):
    """How often and when a step is tried again."""

    limit = fields.Integer(required=True, metadata={"description": "Attempts in all; 0 is no limit."})
    waits_ms = fields.List(fields.Integer(), required=True, metadata={"description": "The longest waits."})
    jitter = fields.Boolean(required=True)
    deadline_ms = fields.Integer(allow_none=True)


class StepDetail(BriefStep):
    """A step of a run."""

    detail = one_of(*map(str, StepStatus))
    kind = fields.String(metadata={"description": "task, operation, sleep, signal, child and so on."})
    started_at = instant()
    completed_at = instant()
    attempt = fields.Integer()
    queue = fields.String()
    timeout_ms = fields.Integer()
    retry = fields.Nested(RetryPolicy)
    undo = fields.Boolean(metadata={"description": "Whether compensation can undo it."})
    at_most_once = fields.Boolean(metadata={"description": "Whether it is never repeated by itself."})
    usual_ms = fields.Integer(metadata={"description": "The median of the last completed runs."})
    p90_ms = fields.Integer(metadata={"description": "Nine of ten times it took no longer."})
    holder = fields.String(metadata={"description": "The process that has the step now."})
    deadline_at = instant()
    given = fields.Dict(metadata={"description": "Values that the plan wrote for this step."})
    worker = fields.String(metadata={"description": "The process that has the step, or had it last."})
    branch = fields.String()
    progress = fields.String()
    retry_at = instant()
    error = fields.Nested(RunError)
    output = fields.Raw()
    reused_from = fields.String()
    compensated_at = instant()


class UndoStep(StepDetail):
    """A step of the compensation."""

    undoes = fields.String(allow_none=True, metadata={"description": "The step that it undoes."})


class LockHolder(Shape):
    """The run that holds a lock, and where it is."""

    run_id = fields.String(required=True)
    type = fields.String(required=True)
    detail = one_of(*map(str, RunStatus), required=True)
    step = fields.String(allow_none=True)
    resource_name = fields.String(allow_none=True)


class WaitingOn(Shape):
    """Why a run is not moving."""

    kind = fields.String(required=True)
    text = fields.String(required=True, metadata={"description": "The same as one sentence."})
    step = fields.String(allow_none=True)
    since = instant(allow_none=True)
    until = instant(allow_none=True)
    deadline = instant(allow_none=True)
    queue = fields.String(allow_none=True)
    resource = fields.String(allow_none=True)
    holder = fields.String(allow_none=True, metadata={"description": "The run that holds the lock."})
    held_by = fields.Nested(LockHolder, allow_none=True)
    reason = fields.String(allow_none=True)


class RunSummary(Finished):
    """A run in a list."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    kind = one_of(*map(str, RunKind), required=True)
    status = one_of(*API_WORDS, required=True)
    detail = one_of(*map(str, RunStatus), required=True)
    resource_type = fields.String(allow_none=True)
    resource_id = fields.String(allow_none=True)
    resource_name = fields.String(
        allow_none=True, metadata={"description": "What people call it, while it is in the inventory."}
    )
    title = fields.String(allow_none=True, metadata={"description": "What it does, in a few words."})
    version = fields.String(allow_none=True, metadata={"description": "Of a code workflow."})
    triggered_by = fields.String(required=True)
    created_at = instant(required=True)
    started_at = instant(allow_none=True)
    completed_at = instant(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)
    usual_ms = fields.Integer(
        allow_none=True, metadata={"description": "How long runs of its type usually take."}
    )
    progress = fields.Integer(required=True, metadata={"description": "0 to 100."})
    attempt = fields.Integer(
        allow_none=True, metadata={"description": "Of the step at hand, while the run is open."}
    )
    attempts = fields.Integer(
        allow_none=True, metadata={"description": "How many the step has; 0 is no limit."}
    )
    error = fields.Nested(RunError, allow_none=True)
    steps = fields.List(fields.Nested(BriefStep), required=True)
    waiting_on = fields.Nested(WaitingOn, allow_none=True)
    needs_operator = fields.Boolean(required=True)
    retry_of = fields.String(allow_none=True)
    parent_run_id = fields.String(allow_none=True)
    acknowledged_at = instant(
        allow_none=True, metadata={"description": "When somebody said that its failure is dealt with."}
    )
    acknowledged_by = fields.String(allow_none=True)
    tags = fields.List(fields.String())


class RunDetail(RunSummary):
    """A run on its own."""

    steps = fields.List(fields.Nested(StepDetail), required=True)
    compensation = fields.List(fields.Nested(UndoStep), required=True)
    estimated_completion_at = instant(
        allow_none=True, metadata={"description": "None when it waits for people, or is overdue."}
    )
    overdue = fields.Boolean(required=True, metadata={"description": "Whether it takes longer than usual."})
    on_failure = one_of(*ON_FAILURE, required=True)
    input = fields.Raw()
    output = fields.Raw(allow_none=True)
    retried_by = fields.List(fields.String())
    from_step = fields.String(allow_none=True)
    cancel_requested_at = instant(allow_none=True)
    allowed_actions = fields.List(one_of(*sorted((*ACTIONS, "cancel", "retry"))))
    refused_actions = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Each other action, and why it is refused now."},
    )


class RunEvent(Shape):
    """A line of the log."""

    seq = fields.Integer(required=True)
    type = one_of(*map(str, EventType), required=True)
    step = fields.String(allow_none=True)
    phase = fields.String(allow_none=True)
    attempt = fields.Integer(allow_none=True)
    actor = fields.String(allow_none=True)
    at = instant(required=True)
    payload = fields.Raw()


class PlannedStep(Shape):
    """A step as it is planned."""

    key = fields.String(required=True, metadata={"description": "Its name in the run."})
    name = fields.String(required=True, metadata={"description": "What it does."})
    kind = fields.String(required=True)
    queue = fields.String(required=True)
    branch = fields.String(allow_none=True)
    target = fields.String(allow_none=True, metadata={"description": "The resource that it works on."})
    values = fields.Dict(metadata={"description": "What its plan gives it."})
    timeout_ms = fields.Integer(required=True)
    retry = fields.Nested(RetryPolicy, allow_none=True)
    undo = fields.Boolean(required=True)
    at_most_once = fields.Boolean(required=True)


class PlanShape(Shape):
    """What a run would do."""

    type = fields.String(required=True)
    resource = fields.String(required=True, allow_none=True)
    on_failure = one_of(*ON_FAILURE, required=True)
    steps = fields.List(fields.Nested(PlannedStep), required=True)
    locks = fields.List(fields.String(), required=True)
    holders = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Runs that hold these locks now, by resource."},
    )
    estimated_duration_ms = fields.Integer(allow_none=True)
    compensation = fields.List(fields.String(), metadata={"description": "Steps in the order of their undo."})


class RetryPlanShape(PlanShape):
    """What a retry would do."""

    retry_of = fields.String(required=True)
    from_step = fields.String(allow_none=True)
    kept = fields.List(
        fields.String(), required=True, metadata={"description": "Steps whose results are taken over."}
    )
    runs_again = fields.List(
        fields.String(), required=True, metadata={"description": "Steps of the old run that are done anew."}
    )
    was_undone = fields.List(
        fields.String(), required=True, metadata={"description": "Those of them whose effects were undone."}
    )
    repeats_effect = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Those of them that had, or may have had, an effect that still stands."},
    )


class FoldedStep(Shape):
    """A step as the log tells it."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    phase = one_of("forward", "comp", required=True)
    kind = fields.String(required=True)
    ordinal = fields.Integer(required=True)
    branch = fields.String(required=True)
    status = one_of(*map(str, StepStatus), required=True)
    outcome = fields.String(required=True)
    attempt = fields.Integer(required=True)
    fence = fields.Integer(required=True)
    output = fields.Raw(allow_none=True)
    error = fields.Dict(allow_none=True)
    ref = fields.Raw(allow_none=True)
    undoes = fields.String(allow_none=True)
    reused_from = fields.String(allow_none=True)
    due_at = instant(allow_none=True)
    started_at = instant(allow_none=True)
    completed_at = instant(allow_none=True)
    compensated_at = instant(allow_none=True)


class CancelRequest(Shape):
    """Who asked when that the run be cancelled."""

    at = instant(required=True)
    actor = fields.String(allow_none=True)
    mode = fields.String(required=True)


class RunState(Finished):
    """A run as its log tells it, up to an event."""

    as_of = fields.Integer(required=True, metadata={"description": "The number of the event."})
    seq = fields.Integer(required=True)
    at = instant(allow_none=True)
    status = one_of(*map(str, RunStatus), required=True)
    goal = fields.String(allow_none=True)
    input = fields.Raw(allow_none=True)
    output = fields.Raw(allow_none=True)
    error = fields.Dict(allow_none=True)
    retry_of = fields.String(allow_none=True)
    cancel_requested = fields.Nested(CancelRequest, allow_none=True)
    created_at = instant(allow_none=True)
    started_at = instant(allow_none=True)
    completed_at = instant(allow_none=True)
    held_until = instant(allow_none=True)
    locks = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "Fences by resource."}
    )
    steps = fields.List(fields.Nested(FoldedStep), required=True)
