"""Deletes ended runs with all their rows, and messages without a run, after the retention period."""

from sqlalchemy import and_, delete, exists, select

from app.record.session import Tx
from app.record.tables import (
    app_chunk,
    app_event,
    app_hook,
    app_message,
    app_run,
    app_step,
    app_stream,
    app_wait,
)

OF_RUNS = (app_chunk, app_stream, app_message, app_wait, app_hook, app_step, app_event)
OLDEST = 1_000  # Messages that one pass reads.


def ended_before(tx: Tx, moment: int, limit: int) -> list[tuple[str, str]]:
    """Application and id of runs that ended before a moment, the oldest first."""
    ended = select(app_run.c.app, app_run.c.id).where(
        app_run.c.tenant_id == tx.tenant, app_run.c.completed_at < moment
    )
    return [(row["app"], row["id"]) for row in tx.rows(ended.order_by(app_run.c.completed_at).limit(limit))]


def forget_run(tx: Tx, app: str, run_id: str) -> None:
    """Delete a run and all its rows."""
    for table in OF_RUNS:
        mine = and_(table.c.tenant_id == tx.tenant, table.c.app == app, table.c.run_id == run_id)
        tx.execute(delete(table).where(mine))
    tx.execute(
        delete(app_run).where(app_run.c.tenant_id == tx.tenant, app_run.c.app == app, app_run.c.id == run_id)
    )


def forget_messages(tx: Tx, moment: int, after: int = 0) -> tuple[int, int]:
    """Delete some messages that are settled, older than a moment, and without a run.

    Reads the oldest ones with a number above ``after``. Returns how many were deleted, and the ``after`` of
    the next pass: 0 when it begins from the oldest again.
    """
    mine = select(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id > after)
    # First a range of numbers, then the settled ones in it: the other way round a pass would read the whole
    # table. Each pass reads another range, so that messages kept for long do not hide newer ones.
    old = mine.order_by(app_message.c.id).limit(OLDEST).subquery()
    seen = tx.rows(select(old.c.id, old.c.created_at).order_by(old.c.id))
    run = exists().where(
        app_run.c.tenant_id == tx.tenant, app_run.c.app == old.c.app, app_run.c.id == old.c.run_id
    )
    over = select(old.c.id).where(old.c.state != "open", old.c.created_at < moment, ~run)
    gone = delete(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id.in_(over))
    is_last = len(seen) < OLDEST or seen[-1]["created_at"] >= moment
    return tx.execute(gone).rowcount, 0 if is_last else int(seen[-1]["id"])
