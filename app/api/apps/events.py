"""Events: the one way in which runs change, and the lists of what has been written."""

from dataclasses import replace

from flask import Blueprint, Response, request

from app.api.apps import present
from app.api.apps.bodies import json_body
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.domain.apps.cursors import count_of
from app.domain.apps.incoming import incoming
from app.domain.apps.words import EventType
from app.services.apps import admission, read
from app.services.apps.actions import fresh_run_id
from app.services.apps.write import write

blueprint = Blueprint("events", __name__, url_prefix=PREFIX)
NO_ID = "null"  # As the run's id: the service gives it one.


@blueprint.post("/runs/<run_id>/events")
def post(run_id: str) -> Response:
    """Write one event."""
    db, app = world().db, app_id()
    known_events = count_of(request.args.get("eventCount"))
    event = incoming(run_id, json_body())
    if event.type == EventType.RUN_CREATED:
        admission.admit_run(db, app)
        if run_id == NO_ID:
            event = replace(event, run_id=fresh_run_id())
    quota = admission.quotas(db, app)["max_events"]
    made = write(db, app, event, known_events=known_events, quota=quota)
    return present.replied(present.written(made, bare=present.without_data()))


@blueprint.get("/runs/<run_id>/events")
def of_run(run_id: str) -> Response:
    """The events of a run."""
    found = read.event_page(world().db, app_id(), run_id, asked())
    return present.replied(present.events(found, bare=present.without_data()))


@blueprint.get("/runs/<run_id>/events/<event_id>")
def one(run_id: str, event_id: str) -> Response:
    """One event."""
    row = read.event(world().db, app_id(), run_id, event_id)
    return present.replied(present.event(row, row["run_version"], bare=present.without_data()))


@blueprint.get("/events/by-correlation")
def by_correlation() -> Response:
    """The events with a correlation id in all runs."""
    args = request.args
    found = read.correlated(
        world().db, app_id(), args.get("correlationId"), asked(), run_id=args.get("runId")
    )
    return present.replied(present.events(found, bare=present.without_data()))


def asked() -> read.Asked:
    """Which page this request wants."""
    args = request.args
    return read.Asked(
        limit=args.get("limit"), cursor=args.get("cursor"), newest_first=args.get("sortOrder") == "desc"
    )
