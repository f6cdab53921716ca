"""Routes for the handlers of an application: the URLs to which its messages are delivered."""

from flask import Blueprint, Response

from app.api.apps.bodies import answer, json_object
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.services.apps import handlers

blueprint = Blueprint("handlers", __name__)


@blueprint.post(f"{PREFIX}/handlers")
def register() -> Response:
    """Add a handler, or change its URLs."""
    here = world()
    handlers.register(here.db, app_id(), json_object(), handlers.reach(here.settings))
    return answer({"registered": True}, 201)


@blueprint.delete(f"{PREFIX}/handlers/<rest:pod>")
def deregister(pod: str) -> Response:
    """Remove a handler; succeeds also when there is none."""
    handlers.deregister(world().db, app_id(), pod)
    return answer({"deregistered": True})
