"""Schedules: runs that are started when their time comes."""

from typing import Any

from flask import Response

from app.api.http import idempotency, paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.runs import show as runs_show
from app.api.v1.runs.schemas import RunDetail
from app.api.v1.schedules import show
from app.api.v1.schedules.schemas import (
    OccurrenceQuery,
    OccurrenceShape,
    PauseBody,
    ScheduleBody,
    ScheduleChange,
    ScheduleQuery,
    ScheduleShape,
)
from app.services import naming
from app.services import runs as runs_service
from app.services import schedules as service

schedules = Family("schedules", "Runs that are started when their time comes, by cron or by interval.")
PATH = "/v1/schedules"
ONE = f"{PATH}/<schedule_id>"
WANTED = ("name", "type", "resourceId", "cron", "timezone")


@schedules.serve("GET", PATH, "listSchedules", scope="runs:read")
@schedules.arguments(ScheduleQuery, location="query")
@schedules.response(200, ScheduleShape(many=True), example=[examples.SCHEDULE])
def list_schedules(query: dict[str, Any]) -> Answer:
    """Schedules, newest first."""
    found, shown = show.page(query.get("type"), paging.window(query))
    return paging.answer(query, found, shown)


@schedules.serve("POST", PATH, "createSchedule", scope="runs:write", errors=(404,))
@schedules.arguments(ScheduleBody, example={name: examples.SCHEDULE[name] for name in WANTED})
@schedules.response(201, ScheduleShape, example=examples.SCHEDULE)
def create_schedule(body: dict[str, Any]) -> Answer:
    """Make a schedule; what it starts is checked now as it will be then."""
    row = service.create(world(), principal(), _named(body, runs_service.resource_of(body["type"])))
    return show.shown(row), 201, {"Location": f"{PATH}/{row['id']}", "ETag": f'"{row["version"]}"'}


@schedules.serve("GET", ONE, "getSchedule", scope="runs:read")
@schedules.response(200, ScheduleShape, example=examples.SCHEDULE)
def get_schedule(schedule_id: str) -> Answer:
    """One schedule; its ETag tells what people said of it, and stays when it starts runs."""
    row, shown = show.one(schedule_id)
    return shown, None, {"ETag": f'"{row["version"]}"'}


@schedules.serve("PATCH", ONE, "changeSchedule", scope="runs:write", errors=(409, 412))
@schedules.arguments(ScheduleChange, example={"cron": "0 3 * * *"})
@schedules.response(200, ScheduleShape, example=examples.SCHEDULE)
def change_schedule(body: dict[str, object], schedule_id: str) -> Answer:
    """Change a schedule; with If-Match only when nobody else did meanwhile."""
    changes = _named(body, None)
    row = service.change(world(), principal(), schedule_id, changes, versions.wanted_version())
    return show.shown(row), None, {"ETag": f'"{row["version"]}"'}


@schedules.serve("DELETE", ONE, "deleteSchedule", scope="runs:write")
@schedules.response(204)
def delete_schedule(schedule_id: str) -> Response:
    """Delete a schedule; its runs stay, and go on."""
    service.delete(world(), principal(), schedule_id)
    return Response(status=204)


@schedules.serve("POST", f"{ONE}/pause", "pauseSchedule", scope="runs:write")
@schedules.arguments(PauseBody, required=False, example={"reason": "rack 7 is being moved"})
@schedules.response(200, ScheduleShape, example={**examples.SCHEDULE, "paused": True})
def pause_schedule(body: dict[str, Any], schedule_id: str) -> Answer:
    """Let a schedule start nothing; what would have been due meanwhile does not count as missed."""
    return show.shown(service.pause(world(), principal(), schedule_id, **body))


@schedules.serve("POST", f"{ONE}/unpause", "unpauseSchedule", scope="runs:write")
@schedules.response(200, ScheduleShape, example=examples.SCHEDULE)
def unpause_schedule(schedule_id: str) -> Answer:
    """Let a schedule go on from now."""
    return show.shown(service.unpause(world(), principal(), schedule_id))


@schedules.serve("POST", f"{ONE}/run", "runSchedule", scope="runs:write")
@schedules.response(202, RunDetail, example=examples.RUN_DETAIL)
def run_schedule(schedule_id: str) -> Answer:
    """Start a run now, beside the due times, also while the schedule is paused or a run of it is open."""
    return runs_show.accepted(service.run(world(), principal(), schedule_id, idempotency.run_key()))


@schedules.serve("GET", f"{ONE}/occurrences", "listOccurrences", scope="runs:read")
@schedules.arguments(OccurrenceQuery, location="query")
@schedules.response(200, OccurrenceShape(many=True), example=[examples.OCCURRENCE])
def list_occurrences(query: dict[str, Any], schedule_id: str) -> Answer:
    """What became of each due time, the latest first: the run, or why there is none."""
    found, shown = show.occurrences(schedule_id, query.get("outcome"), paging.window(query))
    return paging.answer(query, found, shown)


def _named(body: dict[str, Any], resource: str | None) -> dict[str, object]:
    """The body with the id of the resource that it may have called by its name."""
    text = body.get("resource_id")
    return body if text is None else {**body, "resource_id": naming.resource_of(world(), resource, text)}
