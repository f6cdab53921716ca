"""Streams of runs: chunks of bytes with dense numbers, and whether the stream is closed.

The row of a stream is the lock of its writers and has the number of chunks. A reader finds the stream by its
name alone, since the DevKit generates names that are unique over all runs.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, tuple_

from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_chunk, app_run, app_stream

Row = dict[str, Any]
MOST_BYTES = 1_048_576  # Of one read, unless a single chunk is longer.
MOST_CHUNKS = 1_000
HEALTH_CHECK = "__health_check__"  # Prefix of the names of streams without a run.


def has_run(tx: Tx, scope: Scope, run_id: str) -> bool:
    """Whether the run of a stream exists."""
    found = select(app_run.c.id).where(scope.owns(app_run), app_run.c.id == run_id)
    return tx.value(found) is not None


def append(tx: Tx, scope: Scope, run_id: str, name: str, chunks: Sequence[bytes]) -> int | None:
    """Append chunks, all or none; returns the number of the first, None when the stream is closed."""
    count = len(chunks)
    made = tx.insert(app_stream).values(
        **scope.key, run_id=run_id, name=name, chunks=count, touched_at=tx.now
    )
    raised = made.on_conflict_do_update(
        index_elements=["tenant_id", "app", "run_id", "name"],
        set_={"chunks": app_stream.c.chunks + count, "touched_at": tx.now},
        # One statement locks the stream, checks that it is open, and takes the numbers: two writers get
        # different numbers, and nothing is written after the end.
        where=~app_stream.c.closed,
    )
    total = tx.value(raised.returning(app_stream.c.chunks))
    if total is None:
        return None
    first = int(total) - count
    key = {**scope.key, "run_id": run_id, "name": name}
    rows = [{**key, "number": number, "data": data} for number, data in enumerate(chunks, first)]
    if rows:
        tx.execute(app_chunk.insert(), rows)
    return first


def holds(tx: Tx, scope: Scope, run_id: str, name: str, first: int, chunks: Sequence[bytes]) -> bool:
    """Whether these chunks are stored from the number ``first`` on."""
    own = select(app_chunk.c.data).where(scope.owns(app_chunk), app_chunk.c.run_id == run_id)
    own = own.where(app_chunk.c.name == name, app_chunk.c.number.between(first, first + len(chunks) - 1))
    return [bytes(row["data"]) for row in tx.rows(own.order_by(app_chunk.c.number))] == list(chunks)


def close(tx: Tx, scope: Scope, run_id: str, name: str) -> None:
    """Close a stream, also one into which nothing was ever written."""
    made = tx.insert(app_stream).values(**scope.key, run_id=run_id, name=name, closed=True, touched_at=tx.now)
    tx.execute(
        made.on_conflict_do_update(
            index_elements=["tenant_id", "app", "run_id", "name"],
            set_={"closed": True, "touched_at": tx.now},
        )
    )


def one(tx: Tx, scope: Scope, run_id: str, name: str) -> Row | None:
    """A stream of a run."""
    found = select(app_stream).where(scope.owns(app_stream), app_stream.c.run_id == run_id)
    return tx.row(found.where(app_stream.c.name == name))


def named(tx: Tx, scope: Scope, name: str) -> Row | None:
    """The stream of this name that was written last, of any run."""
    found = select(app_stream).where(scope.owns(app_stream), app_stream.c.name == name)
    return tx.row(found.order_by(app_stream.c.touched_at.desc(), app_stream.c.run_id).limit(1))


def names(tx: Tx, scope: Scope, run_id: str) -> list[str]:
    """The streams of a run."""
    found = select(app_stream.c.name).where(scope.owns(app_stream), app_stream.c.run_id == run_id)
    return [row["name"] for row in tx.rows(found.order_by(app_stream.c.name))]


def chunks(tx: Tx, scope: Scope, run_id: str, name: str, first: int, most: int = MOST_CHUNKS) -> list[Row]:
    """Chunks from this number on: the first one whatever its size, then as many as `MOST_BYTES` allows."""
    size = func.length(app_chunk.c.data)
    # Sizes are read before data: a thousand chunks of 1 MiB must not be loaded to be measured.
    up_to = func.sum(size).over(order_by=app_chunk.c.number)
    found = select(app_chunk.c.number, up_to.label("up_to"), size.label("size"))
    found = found.where(scope.owns(app_chunk), app_chunk.c.run_id == run_id, app_chunk.c.name == name)
    seen = (
        found.where(app_chunk.c.number >= first)
        .order_by(app_chunk.c.number)
        .limit(min(most, MOST_CHUNKS))
        .subquery()
    )
    fits = select(seen.c.number).where(seen.c.up_to - seen.c.size < MOST_BYTES)
    own = select(app_chunk.c.number, app_chunk.c.data).where(
        scope.owns(app_chunk), app_chunk.c.run_id == run_id, app_chunk.c.name == name
    )
    return tx.rows(own.where(app_chunk.c.number.in_(fits)).order_by(app_chunk.c.number))


def delete(tx: Tx, scope: Scope, run_id: str, name: str) -> None:
    """Delete a stream."""
    for table in (app_chunk, app_stream):
        own = table.delete().where(scope.owns(table), table.c.run_id == run_id, table.c.name == name)
        tx.execute(own)


def forget_health_checks(tx: Tx, before: int) -> int:
    """Delete old streams of health checks that were never read to their end; how many."""
    old = select(app_stream).where(app_stream.c.tenant_id == tx.tenant, app_stream.c.touched_at < before)
    rows = tx.rows(old.where(app_stream.c.name.startswith(HEALTH_CHECK, autoescape=True)).limit(MOST_CHUNKS))
    for row in rows:
        delete(tx, Scope(tenant=tx.tenant, app=row["app"]), row["run_id"], row["name"])
    return len(rows)


def heads(tx: Tx, wanted: Sequence[tuple[str, str]]) -> list[Row]:
    """The state of the streams with these applications and names, of any run."""
    own = (app_stream.c.tenant_id == tx.tenant, tuple_(app_stream.c.app, app_stream.c.name).in_(wanted))
    columns = (app_stream.c[name] for name in ("app", "name", "run_id", "chunks", "closed"))
    return tx.rows(select(*columns).where(*own))
