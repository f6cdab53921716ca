"""``POST /runs/{runId}/events`` and ``POST /queue``, the most frequent requests, without Flask.

Flask's dispatch of a request costs as much CPU as all the work for an event or a message. So these two routes
are plain WSGI functions in front of it, with the same checks in the same order as in every other view: the
caller, the application, the request itself. All other requests go on to Flask.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask

from app.api.apps import errors, present
from app.api.apps.bodies import CBOR, JSON, body_in, json_of, json_text
from app.api.apps.scope import guard_of
from app.api.http.context import LazyWorld
from app.domain.apps import envelope
from app.domain.apps.cursors import count_of
from app.domain.apps.decide import stamp
from app.domain.apps.incoming import incoming
from app.domain.apps.refusal import bad
from app.domain.apps.slots import message_id
from app.domain.apps.words import AppEventType
from app.services.apps import admission, queue
from app.services.apps.actions import fresh_run_id
from app.services.apps.write import write
from app.services.context import AppContext

NO_ID = "null"  # In place of a run's id: the service chooses the id.
APP = r"/api/v1/apps/((?:@[^/]+/)?[^/]+)"
PATH = re.compile(rf"{APP}/(?:runs/([^/]+)/events|queue)")  # No match of the second group: the queue.
Environ = dict[str, Any]
Start = Callable[..., Any]
Wsgi = Callable[[Environ, Start], Iterable[bytes]]


class FastRoutes:
    """The WSGI application that serves the two routes and passes all other requests on."""

    def __init__(self, app: Flask, rest: Wsgi) -> None:
        self._app, self._rest = app, rest

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Write an event, add a message, or pass the request on to Flask."""
        found = PATH.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if found is None:
            return self._rest(environ, start)
        try:
            world, app = self._allowed(environ, _decoded(found[1]))
            if found[2] is None:
                status, text = "201 CREATED", _enqueue(world, app, environ)
            else:
                status, text = "200 OK", _post(world, app, _decoded(found[2]), environ)
            raw = text.encode()
        except Exception as error:  # `errors.of` makes a response for each.
            return errors.of(error)(environ, start)
        start(status, [("Content-Type", present.JSON), ("Content-Length", str(len(raw)))])
        return (raw,)

    def _allowed(self, environ: Environ, asked_app: str) -> tuple[AppContext, str]:
        """The context, and the application that the caller may write to; raises `Refused`."""
        world: LazyWorld = self._app.extensions["windlass"]
        guard = guard_of(self._app)
        app = guard.application(guard.caller(environ), asked_app)
        return world(), app


def _post(world: AppContext, app: str, run_id: str, environ: Environ) -> str:
    args = _args(environ["QUERY_STRING"])
    known_events = count_of(args.get("eventCount"))
    _, raw = body_in(environ, JSON)
    event = incoming(run_id, json_of(raw))
    if event.type == AppEventType.RUN_CREATED:
        admission.admit_run(world.db, app)
        if run_id == NO_ID:
            event = replace(event, run_id=fresh_run_id())
    quota = admission.quotas(world.db, app)["max_events"]
    made = write(world.db, app, event, known_events=known_events, quota=quota)
    return present.written(made, bare=args.get("resolveData") == present.NONE)


def _enqueue(world: AppContext, app: str, environ: Environ) -> str:
    kind, raw = body_in(environ, JSON, CBOR)
    if not raw.strip():
        raise bad("queueName and message are required")
    asked = envelope.from_cbor(raw) if kind == CBOR else envelope.from_json(json_text(raw))
    added = queue.enqueue(world, app, asked)
    later = {} if added.due_at is None else {"scheduled": True, "deliverAt": stamp(added.due_at)}
    return json.dumps({"messageId": message_id(added.number), **later}, separators=(",", ":"))


def _args(query: str) -> Mapping[str, str]:
    """The arguments of a query; the first of repeated ones counts."""
    return dict(reversed(parse_qsl(query, keep_blank_values=True))) if query else {}


def _decoded(part: str) -> str:
    """A part of a path as text; WSGI passes its UTF-8 bytes as Latin-1."""
    return part if part.isascii() else part.encode("latin-1").decode("utf-8", "replace")
