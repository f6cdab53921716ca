"""POST /queue: one message, in JSON or CBOR."""

from flask import Blueprint, Response

from app.api.apps.bodies import CBOR, JSON, answer, json_text, raw_body
from app.api.apps.scope import PREFIX, app_id
from app.api.http.context import world
from app.domain.apps import envelope
from app.domain.apps.decide import stamp
from app.domain.apps.refusal import bad
from app.domain.apps.slots import message_id
from app.services.apps import queue

blueprint = Blueprint("queue", __name__)


@blueprint.post(f"{PREFIX}/queue")
def enqueue() -> Response:
    """Add a message."""
    kind, raw = raw_body(JSON, CBOR)
    if not raw.strip():
        raise bad("queueName and message are required")
    asked = envelope.from_cbor(raw) if kind == CBOR else envelope.from_json(json_text(raw))
    added = queue.enqueue(world(), app_id(), asked)
    later = {} if added.due_at is None else {"scheduled": True, "deliverAt": stamp(added.due_at)}
    return answer({"messageId": message_id(added.number), **later}, 201)
