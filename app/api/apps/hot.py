"""``POST /runs/{runId}/events``, by far the most frequent request: answered beside Flask.

Flask's way to a view and back costs as much CPU as all that is done for an event. So this one route is a bare
WSGI function in front of it, with the same checks in the same order as every other view: who asks, for which
application, then what. All other requests go on to Flask.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask

from app.api.apps import errors, present
from app.api.apps.bodies import JSON, body_in, json_of
from app.api.apps.scope import guard_of
from app.api.http.context import LazyWorld
from app.domain.apps.cursors import count_of
from app.domain.apps.incoming import incoming
from app.domain.apps.words import AppEventType
from app.services.apps import admission
from app.services.apps.actions import fresh_run_id
from app.services.apps.write import write
from app.services.context import AppContext

NO_ID = "null"  # As the run's id: the service gives it one.
PATH = re.compile(r"/api/v1/apps/((?:@[^/]+/)?[^/]+)/runs/([^/]+)/events")
Environ = dict[str, Any]
Start = Callable[..., Any]
Wsgi = Callable[[Environ, Start], Iterable[bytes]]


class Hot:
    """The WSGI application in front of Flask's."""

    def __init__(self, app: Flask, rest: Wsgi) -> None:
        self._app, self._rest = app, rest

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Write an event, or let Flask answer."""
        found = PATH.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if found is None:
            return self._rest(environ, start)
        try:
            text = self._written(environ, _decoded(found[1]), _decoded(found[2])).encode()
        except Exception as error:  # Each has its answer.
            return errors.of(error)(environ, start)
        start("200 OK", [("Content-Type", present.JSON), ("Content-Length", str(len(text)))])
        return (text,)

    def _written(self, environ: Environ, asked_app: str, run_id: str) -> str:
        world: LazyWorld = self._app.extensions["windlass"]
        guard = guard_of(self._app)
        app = guard.application(guard.caller(environ), asked_app)
        return _post(world(), app, run_id, environ)


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


def _args(query: str) -> Mapping[str, str]:
    """The arguments of a query; of repeated ones the first counts."""
    return dict(reversed(parse_qsl(query, keep_blank_values=True))) if query else {}


def _decoded(part: str) -> str:
    """A part of a path as it was meant; WSGI gives its bytes as Latin-1."""
    return part if part.isascii() else part.encode("latin-1").decode("utf-8", "replace")
