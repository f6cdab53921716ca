"""The header Idempotency-Key around every POST; the rules are in `app.services.idempotency`."""

import hashlib
import re
from collections.abc import Mapping

import structlog
from flask import Response, current_app, g, jsonify, request

from app.api.http.context import principal, world
from app.api.http.family import PUBLIC, json_value
from app.api.http.keys import scope_of
from app.auth.secrets import REDACTED
from app.domain.errors import Unavailable, ValidationFailed
from app.services import idempotency
from app.services.idempotency import Opened, Stored, Ticket

SHOWN_ONCE = ("secret", "token", "callbackSecret")  # Members of answers about webhooks, hooks and keys.
KEPT_HEADERS = ("Location", "Retry-After", "ETag")
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_log = structlog.get_logger("api")


def begin() -> Response | None:
    """Give the stored answer of a repeated request, or note this one."""
    ticket = _ticket()
    if ticket is None:
        return None
    found = idempotency.begin(world(), ticket)
    if isinstance(found, Opened):
        g.ticket, g.run_key = ticket, found.run_key
        return None
    response = jsonify(found.body)
    response.status_code = found.status
    response.headers.extend(found.headers)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def finish(response: Response) -> Response:
    """Keep a success; forget a refusal, which changed nothing; leave what crashed to its successor."""
    ticket = g.pop("ticket", None)
    if ticket is None or response.status_code == 500:
        return response
    try:
        if response.status_code > 500:
            idempotency.give_up(world(), ticket)
        elif response.status_code >= 300:
            idempotency.forget(world(), ticket)
        else:
            headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
            kept = Stored(status=response.status_code, headers=headers, body=_without_secrets(response))
            idempotency.settle(world(), ticket, kept)
    except Unavailable:
        # What was asked for is done: the answer goes out, and a repetition finds the run by its key.
        _log.warning("idempotency.not_kept", requestId=g.request_id)
    return response


def _without_secrets(response: Response) -> object:
    """The answer without what is shown once, and not once more; everything else as it was."""
    body = response.get_json(silent=True)
    if not isinstance(body, dict):
        return body
    data = body.get("data")
    enveloped = {"data": _once(data)} if "success" in body and isinstance(data, dict) else {}
    return {**_once(body), **enveloped}


def _once(members: Mapping[str, object]) -> dict[str, object]:
    return {name: REDACTED if name in SHOWN_ONCE else value for name, value in members.items()}


def run_key() -> str | None:
    """The idempotency key that this request gives to the run it starts."""
    key: str | None = g.get("run_key")
    return key


def _ticket() -> Ticket | None:
    header = request.headers.get("Idempotency-Key")
    scope = scope_of(request.endpoint)
    dry = request.args.get("dryRun") == "true"
    view = current_app.view_functions.get(request.endpoint or "")
    keyed = request.method == "POST" and scope not in (None, PUBLIC) and not getattr(view, "own_key", False)
    if header is None or not keyed or dry:
        return None
    key = _KEY.fullmatch(header)
    if key is None:
        raise ValidationFailed.of("Idempotency-Key", "Must be 1 to 255 visible ASCII characters")
    json_value(request)
    asked = hashlib.sha256(request.query_string + b"\n" + request.get_data(cache=True)).hexdigest()
    return Ticket(principal=principal().actor, route=request.path, key=key[1], hash=asked)
