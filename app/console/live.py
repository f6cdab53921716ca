"""Live pages: a page's query of the API is repeated once a second, and a change of its answer is reported.

Visitors with the same rights who watch the same query in this process share one answer. Only a digest is
compared, and after a change the browser fetches the page itself; so a live page shows nothing more than an
ordinary one.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from flask import Flask, Response, current_app, jsonify, request

from app.api.http import keys
from app.api.http.context import principal
from app.auth.keys import Principal
from app.console import api_client
from app.console.family import pages
from app.domain.errors import Rejected, ValidationFailed
from app.services.permit import Permit

STREAM = ("text/event-stream", "text/html")
EVERY_S = 1.0
BEAT_S = 15.0
LONGEST_S = 600.0  # A stream ends after this, and its page opens another.
KEPT = 200
NEWEST = 50  # Runs, events and messages of an application that are looked at for a change.
# The queries that may be watched: cheap ones.
WATCHED = re.compile(
    r"/v1/(workflows/(runs|batch)(/[A-Za-z0-9_-]{1,128})?|locks|workers|queues|servers|schedules|clusters|vms|pools|webhooks)"
)
# An application, or one of its runs, whose page needs several queries.
OF_APPS = re.compile(r"/api/v1/apps/[A-Za-z0-9%._~-]{1,400}(/runs/[A-Za-z0-9%._~-]{1,400})?")
_seen: dict[object, tuple[float, str]] = {}
_lock = Lock()


@pages.page("GET", "/live", scope="runs:read", offers=STREAM)
def live() -> Response:
    """Send `changed` whenever the answer to a query has changed; 503 when all places are taken."""
    path, query = _question()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    leave = app.extensions["windlass.live"].take()
    frames = _frames(app, principal(), path, query, keys.permit())
    response = Response(frames, mimetype=STREAM[0], headers={"X-Accel-Buffering": "no"})
    response.call_on_close(leave)
    return response


@pages.page("GET", "/digest", scope="runs:read", offers=("text/plain", "text/html"))
def digest() -> Response:
    """The same for polling: an ETag of the answer, 304 while it is unchanged."""
    path, query = _question()
    response = Response("", mimetype="text/plain")
    response.set_etag(_digest(current_app._get_current_object(), principal(), path, query))  # type: ignore[attr-defined]
    response.make_conditional(request)
    return response


@pages.page("GET", "/news", scope="runs:read", offers=("application/json", "text/html"))
def news() -> Response:
    """How many runs of a list are newer than the newest one that its page shows."""
    path, query = _question()
    since = request.args.get("since", "")
    found = api_client.get(path, **{**query, "limit": 50}).data
    ids = [str(run.get("id")) for run in found]
    return jsonify({"count": ids.index(since) if since in ids else len(ids)})


def _question() -> tuple[str, dict[str, list[str]]]:
    asked = urlsplit(request.args.get("of", ""))
    if asked.netloc or not (WATCHED.fullmatch(asked.path) or OF_APPS.fullmatch(asked.path)):
        raise ValidationFailed.of("of", "Is no question that can be watched")
    return asked.path, parse_qs(asked.query)


def _frames(
    app: Flask, asker: Principal, path: str, query: dict[str, list[str]], permit: Permit
) -> Iterator[str]:
    began = beat = time.monotonic()
    known = ""
    yield "retry: 2000\n\n"
    while time.monotonic() - began < LONGEST_S:
        try:
            if not permit.holds():
                return
            found = _digest(app, asker, path, query)
        except Rejected:
            return  # The resource is gone, or the database is away: the page polls and reconnects.
        if known and found != known:
            yield "event: changed\ndata: \n\n"
        known = found
        if time.monotonic() - beat >= BEAT_S:
            beat = time.monotonic()
            yield ": beat\n\n"
        time.sleep(EVERY_S)


def _digest(app: Flask, asker: Principal, path: str, query: dict[str, list[str]]) -> str:
    """The digest of the answer, computed once a second for all visitors with the same query and rights."""
    name = (id(app), asker.scopes, path, json.dumps(query, sort_keys=True))
    with _lock:
        at, known = _seen.get(name, (0.0, ""))
        if known and time.monotonic() - at < EVERY_S / 2:
            return known
        with app.app_context():
            answer = _asked(asker, path, query)
        found = hashlib.sha256(json.dumps(_still(answer), sort_keys=True).encode()).hexdigest()[:32]
        if len(_seen) > KEPT:
            _seen.clear()
        _seen[name] = (time.monotonic(), found)
        return found


def _asked(asker: Principal, path: str, query: dict[str, list[str]]) -> object:
    if not OF_APPS.fullmatch(path):
        return api_client.request("GET", path, query=query, asker=asker).data
    parts = ("", "/events") if "/runs/" in path else ("", "/runs", "/messages", "/dead-letters")
    newest = {"limit": NEWEST, "resolveData": "none", "sortOrder": "desc"}
    return [api_client.of_apps("GET", f"{path}{part}", asker=asker, **newest).data for part in parts]


def _still(data: object) -> object:
    """An answer without the members that change with the clock alone (`MOVING`)."""
    if isinstance(data, list):
        return [_still(each) for each in data]
    if isinstance(data, dict):
        return {name: _still(value) for name, value in data.items() if name not in MOVING}
    return data


MOVING = frozenset(("silentMs", "ageMs", "observedAgeMs", "lastSeenAt", "progress", "estimatedCompletionAt"))
