"""Routes that read events; `app.api.apps.fast_routes` has the one that writes them."""

from flask import Blueprint, Response, request

from app.api.apps import present
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.services.apps import read

blueprint = Blueprint("events", __name__, url_prefix=PREFIX)


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
    """The page that the query of this request asks for."""
    args = request.args
    return read.Asked(
        limit=args.get("limit"), cursor=args.get("cursor"), newest_first=args.get("sortOrder") == "desc"
    )
