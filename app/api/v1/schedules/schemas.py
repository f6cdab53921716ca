"""Bodies and answers about schedules."""

from collections.abc import Mapping

from marshmallow import ValidationError, fields

from app.api.http.paging import PageQuery
from app.api.http.schemas import Body, Flag, Shape, instant, one_of, reason, tags, whole, word
from app.domain.schedules import CATCH_UP, OVERLAP
from app.domain.states import ORDERED_ON_FAILURE

OUTCOMES = ("queued", "started", "skipped", "refused", "missed")
MOST_CAUGHT_UP = 100
SHORTEST_MS, LONGEST_MS = 1_000, 366 * 86_400_000
INPUT = {"description": "An object for a type of the catalogue, a list of arguments for a code workflow."}
CRON = {"description": "Five fields as in crontab(5), or @hourly, @daily, @weekly, @monthly, @yearly."}
EVERY = {"description": "Milliseconds between two due times, counted from when this was said."}


def object_or_list(value: object) -> None:
    """What a run can be given."""
    if not isinstance(value, dict | list):
        raise ValidationError("Must be an object or a list.")


def explained(words: Mapping[str, str]) -> dict[str, str]:
    """The meaning of each word, for the document."""
    return {"description": " ".join(f"`{word}`: {meaning}" for word, meaning in words.items())}


class ScheduleChange(Body):
    """What changes of a schedule; cron and everyMs take each other's place."""

    name = word(128, metadata={"example": "inspect rack 7"})
    cron = word(128, allow_none=True, metadata={**CRON, "example": "30 2 * * *"})
    timezone = word(64, metadata={"description": "Of cron.", "example": "Europe/Berlin"})
    every_ms = whole(SHORTEST_MS, LONGEST_MS, allow_none=True, metadata=EVERY)
    workflow_version = word(128, allow_none=True, metadata={"description": "None: the newest."})
    resource_id = word(128, allow_none=True)
    input = fields.Raw(validate=object_or_list, metadata=INPUT)
    on_failure = one_of(*ORDERED_ON_FAILURE, allow_none=True)
    tags = tags()
    overlap = one_of(*OVERLAP, metadata=explained(OVERLAP))
    catch_up = one_of(*CATCH_UP, metadata=explained(CATCH_UP))
    catch_up_limit = whole(1, MOST_CAUGHT_UP)


class ScheduleBody(ScheduleChange):
    """A schedule to make: what to start, and when."""

    name = word(128, required=True, metadata={"example": "inspect rack 7"})
    type = word(128, required=True, metadata={"example": "server.inspect"})
    timezone = word(64, load_default="UTC", metadata={"description": "Of cron.", "example": "Europe/Berlin"})
    input = fields.Raw(validate=object_or_list, load_default=dict, metadata=INPUT)
    overlap = one_of(*OVERLAP, load_default="skip", metadata=explained(OVERLAP))
    catch_up = one_of(*CATCH_UP, load_default="latest", metadata=explained(CATCH_UP))
    catch_up_limit = whole(1, MOST_CAUGHT_UP, load_default=10)
    paused = Flag(load_default=False)


class PauseBody(Body):
    """Why a schedule is to start nothing."""

    reason = reason()


class ScheduleQuery(PageQuery):
    """Which schedules."""

    type = word(128, metadata={"example": "server.inspect"})


class OccurrenceQuery(PageQuery):
    """Which due times."""

    outcome = one_of(*OUTCOMES)


class LastShape(Shape):
    """What became of the last due time."""

    due_at = instant(required=True)
    outcome = one_of(*OUTCOMES, required=True)
    reason = fields.String(allow_none=True)
    run_id = fields.String(allow_none=True)
    run_status = fields.String(allow_none=True)


class ScheduleShape(Shape):
    """A schedule: what it starts, when, how it went, and when next."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    type = fields.String(required=True)
    workflow_version = fields.String(allow_none=True)
    resource_id = fields.String(allow_none=True)
    input = fields.Raw()
    on_failure = fields.String(allow_none=True)
    tags = fields.List(fields.String(), required=True)
    cron = fields.String(allow_none=True)
    timezone = fields.String(required=True)
    every_ms = fields.Integer(allow_none=True)
    overlap = one_of(*OVERLAP, required=True)
    catch_up = one_of(*CATCH_UP, required=True)
    catch_up_limit = fields.Integer(required=True)
    paused = fields.Boolean(required=True)
    paused_reason = fields.String(allow_none=True)
    next_due_at = instant(allow_none=True)
    next_due_times = fields.List(fields.String(), required=True)
    last = fields.Nested(LastShape, allow_none=True)
    started = fields.Integer(required=True)
    missed = fields.Integer(
        required=True,
        metadata={"description": "Due times at which nothing was started, for whatever reason."},
    )
    triggered_by = fields.String(
        required=True, metadata={"description": "Finds its runs in the list of runs."}
    )
    created_by = fields.String(required=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)


class OccurrenceShape(Shape):
    """What became of a due time; or of several that were missed in a row, from the first one on."""

    id = fields.String(required=True)
    due_at = instant(required=True)
    outcome = one_of(*OUTCOMES, required=True)
    reason = fields.String(allow_none=True)
    run_id = fields.String(allow_none=True)
    times = fields.Integer(required=True)
    manual = fields.Boolean(required=True)
    actor = fields.String(allow_none=True)
    noted_at = instant(required=True)
