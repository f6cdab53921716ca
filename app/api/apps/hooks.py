"""Routes that read hooks: by id, by token, or as a list."""

from flask import Blueprint, Response, request

from app.api.apps import present
from app.api.apps.events import asked
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.services.apps import read

blueprint = Blueprint("hooks", __name__, url_prefix=PREFIX)


@blueprint.get("/hooks")
def listed() -> Response:
    """All hooks of a run; without a run those of the application that are not disposed."""
    found = read.hook_page(world().db, app_id(), request.args.get("runId"), asked())
    return present.replied(present.page(found, map(present.hook, found.rows)))


@blueprint.get("/hooks/by-token/<rest:token>")
def of_token(token: str) -> Response:
    """The hook with this token."""
    return present.replied(present.hook(read.hook_of(world().db, app_id(), token)))


@blueprint.get("/hooks/<hook_id>")
def one(hook_id: str) -> Response:
    """One hook."""
    return present.replied(present.hook(read.hook(world().db, app_id(), hook_id)))
