"""Routes of the queue: messages that are still to be delivered, and dead letters."""

from flask import Blueprint, Response, request

from app.api.apps.bodies import answer
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.domain.apps.cursors import limit_of, offset_of
from app.domain.apps.incoming import searchable
from app.domain.apps.refusal import bad
from app.domain.apps.slots import NUMBER, message_id, message_number
from app.services.apps import queue

blueprint = Blueprint("dead_letters", __name__)


@blueprint.get(f"{PREFIX}/messages")
def open_messages() -> Response:
    """Messages still to be delivered, of an application or one of its runs; the earliest due first."""
    limit = limit_of(request.args.get("limit"), queue.DEAD_LETTERS, queue.MOST_DEAD_LETTERS)
    offset = offset_of(request.args.get("cursor"))
    run_id = request.args.get("runId") or None
    searchable("runId", run_id)
    rows, more = queue.open_messages(world().db, app_id(), run_id=run_id, limit=limit, offset=offset)
    cursor = str(offset + limit) if more else None
    return answer({"data": rows, "cursor": cursor, "hasMore": more})


@blueprint.get(f"{PREFIX}/dead-letters")
def dead_letters() -> Response:
    """Dead letters, the most recent first."""
    limit = limit_of(request.args.get("limit"), queue.DEAD_LETTERS, queue.MOST_DEAD_LETTERS)
    offset = offset_of(request.args.get("cursor"))
    named = request.args.get("queueName") or None
    searchable("queueName", named)
    rows, more = queue.dead_letters(world().db, app_id(), queue=named, limit=limit, offset=offset)
    cursor = str(offset + limit) if more else None
    return answer({"data": rows, "cursor": cursor, "hasMore": more})


@blueprint.post(f"{PREFIX}/dead-letters/<rest:given>/retry")
def retry(given: str) -> Response:
    """Make a dead letter due again; its id is ``msg_`` with a number, or the number alone."""
    number = int(given) if NUMBER.fullmatch(given) else message_number(given)
    if number is None:
        raise bad("invalid messageId")
    queue.retry(world(), app_id(), number)
    return answer({"retried": True, "messageId": message_id(number)})
