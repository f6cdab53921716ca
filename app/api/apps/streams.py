"""Routes of streams: the run writes them, and a client that knows a stream's name reads it."""

import re

from flask import Blueprint, Response, current_app, request

from app.api.apps.bodies import JSON, TEXT, answer, json_value, raw_body
from app.api.apps.scope import PREFIX, app_id, permit
from app.api.http.context import world
from app.domain.apps.cursors import limit_of, offset_of
from app.domain.apps.incoming import searchable
from app.domain.apps.refusal import bad
from app.services.apps import streams
from app.services.apps.stream_readers import Reader, Readers
from app.serving.thread_pool import LIVE

blueprint = Blueprint("streams", __name__)
_WHOLE = re.compile(r"-?[0-9]{1,9}")


@blueprint.put(f"{PREFIX}/runs/<run_id>/streams/<rest:name>")
def write(run_id: str, name: str) -> Response:
    """Append one chunk or several, or close the stream."""
    kind, raw = raw_body(JSON, TEXT)
    db = world().db
    if request.headers.get("x-stream-done") == "true":
        streams.close(db, app_id(), run_id, name)
    elif request.headers.get("x-stream-multi") == "true":
        items = json_value(raw) if kind == JSON and raw else None
        if not isinstance(items, list):
            raise bad("body must be an array for multi-write")
        streams.append(db, app_id(), run_id, name, [streams.chunk_of(item) for item in items])
    else:
        chunk = raw if kind == TEXT else streams.chunk_of(json_value(raw))
        streams.append(db, app_id(), run_id, name, [chunk])
    _readers().notify()
    return Response(status=204)


@blueprint.get(f"{PREFIX}/streams/<rest:name>")
def read(name: str) -> Response:
    """The bytes of a stream from a chunk on; with ``stream=true`` the response lasts until it is closed."""
    start = request.args.get("startIndex") or "0"
    if not _WHOLE.fullmatch(start):
        raise bad("startIndex must be an integer")
    searchable("the name of a stream", name)
    follows = request.args.get("stream") == "true"
    reader = Reader(app=app_id(), name=name, number=int(start), follows=follows, permit=permit())
    # The HTTP server calls it when this view has returned (`app.serving.thread_pool`).
    request.environ[LIVE] = _readers().place(reader)
    return Response(content_type="application/octet-stream")


@blueprint.get(f"{PREFIX}/runs/<run_id>/streams")
def names(run_id: str) -> Response:
    """The streams of a run."""
    return answer(streams.names(world().db, app_id(), run_id))


@blueprint.get(f"{PREFIX}/runs/<run_id>/streams/<rest:name>/chunks")
def chunks(run_id: str, name: str) -> Response:
    """The chunks of a stream, in pages."""
    limit = max(1, limit_of(request.args.get("limit"), 100))
    cursor = request.args.get("cursor")
    first = offset_of(cursor) + 1 if cursor else 0
    return answer(streams.page(world().db, app_id(), run_id, name, first, limit))


@blueprint.get(f"{PREFIX}/runs/<run_id>/streams/<rest:name>/info")
def info(run_id: str, name: str) -> Response:
    """The number of a stream's last chunk, and whether it is closed."""
    return answer(streams.info(world().db, app_id(), run_id, name))


def _readers() -> Readers:
    """The stream readers of this application."""
    db = world().db
    found: tuple[object, Readers] | None = current_app.extensions.get("apps.readers")
    if found is None or found[0] is not db:
        found = db, Readers(db)
        current_app.extensions["apps.readers"] = found
    return found[1]
