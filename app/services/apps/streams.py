"""Streams of runs: append and list chunks. `app.services.apps.stream_readers` follows streams."""

import base64
import binascii
from typing import Any

from app.domain.apps.incoming import searchable, storable
from app.domain.apps.refusal import bad, run_not_found
from app.record.apps import streams
from app.record.apps.scope import Scope
from app.record.session import Database, Tx

LONGEST_NAME = 1_000  # Bytes.
MOST_CHUNKS = 100_000  # Of one request. Each chunk is a row, and takes 1 KiB of memory until it is written.


def append(db: Database, app: str, run_id: str, name: str, chunks: list[bytes]) -> None:
    """Append chunks, all or none; raises `Refused` when the stream is closed or its run does not exist."""
    if len(chunks) > MOST_CHUNKS:
        raise bad(f"a write has at most {MOST_CHUNKS} chunks")

    tried: list[int] = []

    def work(tx: Tx) -> bool:
        scope = _checked(tx, app, run_id, name)
        # The transaction is repeated when the answer to its commit was lost; the chunks are written once.
        if not chunks or any(streams.holds(tx, scope, run_id, name, first, chunks) for first in tried):
            return True
        first = streams.append(tx, scope, run_id, name, chunks)
        if first is not None:
            tried.append(first)
        return first is not None

    if not db.write(work):
        raise bad("stream is already closed")


def close(db: Database, app: str, run_id: str, name: str) -> None:
    """Close a stream."""
    db.write(lambda tx: streams.close(tx, _checked(tx, app, run_id, name), run_id, name))


def names(db: Database, app: str, run_id: str) -> list[str]:
    """The streams of a run."""
    searchable("runId", run_id)
    return db.read(lambda tx: streams.names(tx, Scope.of(tx, app), run_id))


def info(db: Database, app: str, run_id: str, name: str) -> dict[str, object]:
    """The number of the last chunk, -1 for none, and whether the stream is closed."""
    _named(run_id, name)
    row = db.read(lambda tx: streams.one(tx, Scope.of(tx, app), run_id, name))
    return {"tailIndex": (row["chunks"] if row else 0) - 1, "done": bool(row and row["closed"])}


def page(db: Database, app: str, run_id: str, name: str, first: int, limit: int) -> dict[str, object]:
    """Chunks from this number on; fewer than the limit when they are large."""
    _named(run_id, name)

    def look(tx: Tx) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        scope = Scope.of(tx, app)
        row = streams.one(tx, scope, run_id, name)
        return streams.chunks(tx, scope, run_id, name, first, limit) if row else [], row

    rows, stream = db.read(look)
    following = rows[-1]["number"] + 1 if rows else first
    more = stream is not None and following < stream["chunks"]
    data = [{"index": row["number"], "data": base64.b64encode(row["data"]).decode()} for row in rows]
    cursor = str(following - 1) if more else None
    return {"data": data, "cursor": cursor, "hasMore": more, "done": bool(stream and stream["closed"])}


def chunk_of(item: object) -> bytes:
    """The bytes of one chunk: a text, or an object with base64, or with text if its type is "string"."""
    if isinstance(item, str):
        return _utf8(item)
    if not isinstance(item, dict) or not isinstance(item.get("data"), str):
        raise bad("a chunk must be a string, or an object with a string as data")
    if item.get("type") == "string":
        return _utf8(item["data"])
    try:
        # As JavaScript's Buffer accepts it: both alphabets, with or without padding.
        plain = item["data"].translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise bad("the data of a chunk must be base64, or its type must be string") from None


def _utf8(text: str) -> bytes:
    """UTF-8 as JavaScript encodes it: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _named(run_id: str, name: str) -> None:
    searchable("runId", run_id)
    searchable("the name of a stream", name)


def _checked(tx: Tx, app: str, run_id: str, name: str) -> Scope:
    scope = Scope.of(tx, app)
    if not storable(name) or len(name.encode()) > LONGEST_NAME:
        raise bad(f"the name of a stream must have at most {LONGEST_NAME} bytes and no U+0000")
    if not storable(run_id) or len(run_id.encode()) > LONGEST_NAME:
        raise run_not_found(run_id[:64])
    if not name.startswith(streams.HEALTH_CHECK) and not streams.has_run(tx, scope, run_id):
        raise run_not_found(run_id)
    return scope
