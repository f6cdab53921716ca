"""Whether the door is there, and whether it can work."""

from flask import Blueprint, Response

from app.api.apps.bodies import answer

blueprint = Blueprint("ops", __name__)


@blueprint.get("/status")
def status() -> Response:
    """Alive."""
    return answer({"status": "ok"})


@blueprint.get("/")
def welcome() -> Response:
    """What this is."""
    return answer({"message": "Windlass keeps the runs of Workflow DevKit apps here", "api": "/api/v1/apps"})
