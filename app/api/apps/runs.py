"""Routes that read and list runs, and the actions on them: replay, cancel, wake up."""

from flask import Blueprint, Response, request

from app.api.apps import present
from app.api.apps.bodies import answer
from app.api.apps.events import asked
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.services.apps import actions, read

blueprint = Blueprint("runs", __name__, url_prefix=PREFIX)


@blueprint.get("/runs/<run_id>")
def one(run_id: str) -> Response:
    """One run."""
    row = read.run(world().db, app_id(), run_id)
    return present.replied(present.run(row, bare=present.without_data()))


@blueprint.get("/runs")
def listed() -> Response:
    """Runs, newest first."""
    args = request.args
    found = read.run_page(
        world().db,
        app_id(),
        asked(),
        workflow=args.get("workflowName"),
        status=args.get("status"),
        deployment=args.get("deploymentId"),
    )
    bare = present.without_data()
    return present.replied(present.page(found, (present.run(row, bare=bare) for row in found.rows)))


@blueprint.post("/runs/<run_id>/replay")
def replay(run_id: str) -> Response:
    """Start a new run with the same workflow and input."""
    made = actions.replay(world().db, world().publish, app_id(), run_id)
    return present.replied(present.run(made, bare=False))


@blueprint.post("/runs/<run_id>/cancel")
def cancel(run_id: str) -> Response:
    """Cancel a run."""
    row = actions.cancel(world().db, app_id(), run_id)
    return present.replied(present.run(row, bare=False))


@blueprint.post("/runs/<run_id>/wake-up")
def wake_up(run_id: str) -> Response:
    """End the waits of a run."""
    stopped = actions.wake_up(world().db, world().publish, app_id(), run_id)
    return answer({"stoppedCount": stopped})


@blueprint.get("/workflows/<rest:name>/template")
def template(name: str) -> Response:
    """The steps of the newest completed run of a workflow."""
    found = read.template_of(world().db, app_id(), name, request.args.get("deploymentId"))
    if found is None:
        return answer({"error": "No completed run found for this workflow"}, 404)
    return answer(found)
