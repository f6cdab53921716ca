"""Steps of runs."""

from flask import Blueprint, Response

from app.api.apps import present
from app.api.apps.events import asked
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.services.apps import read

blueprint = Blueprint("steps", __name__, url_prefix=PREFIX)


@blueprint.get("/runs/<run_id>/steps")
def listed(run_id: str) -> Response:
    """The steps of a run, oldest first."""
    found = read.step_page(world().db, app_id(), run_id, asked())
    bare = present.without_data()
    return present.replied(present.page(found, (present.step(row, bare=bare) for row in found.rows)))


@blueprint.get("/runs/<run_id>/steps/<step_id>")
def one(run_id: str, step_id: str) -> Response:
    """One step."""
    row = read.step(world().db, app_id(), run_id, step_id)
    return present.replied(present.step(row, bare=present.without_data()))
