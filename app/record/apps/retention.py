"""Deletes what is older than the retention: ended runs with all they have, messages without a run."""

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
OLDEST = 1_000  # Messages that are looked at in one pass.


def ended_before(tx: Tx, moment: int, limit: int) -> list[tuple[str, str]]:
    """Application and id of runs that ended before a moment, the oldest first."""
    ended = select(app_run.c.app, app_run.c.id).where(
        app_run.c.tenant_id == tx.tenant, app_run.c.completed_at < moment
    )
    return [(row["app"], row["id"]) for row in tx.rows(ended.order_by(app_run.c.completed_at).limit(limit))]


def forget_run(tx: Tx, app: str, run_id: str) -> None:
    """Delete a run and everything of it."""
    for table in OF_RUNS:
        mine = and_(table.c.tenant_id == tx.tenant, table.c.app == app, table.c.run_id == run_id)
        tx.execute(delete(table).where(mine))
    tx.execute(
        delete(app_run).where(app_run.c.tenant_id == tx.tenant, app_run.c.app == app, app_run.c.id == run_id)
    )


def forget_messages(tx: Tx, moment: int, after: int = 0) -> tuple[int, int]:
    """Delete some messages that are over, were made before a moment, and have no run.

    The oldest with a number beyond ``after`` are looked at. Returns how many were deleted, and beyond which
    number the next pass goes on: 0 when it begins anew.
    """
    mine = select(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id > after)
    # Some by number, then those of them that are over: the other way round a pass would read the whole table.
    # And not the same again: what is kept, for a run that is open for long, hides no younger ones.
    old = mine.order_by(app_message.c.id).limit(OLDEST).subquery()
    seen = tx.rows(select(old.c.id, old.c.created_at).order_by(old.c.id))
    run = exists().where(
        app_run.c.tenant_id == tx.tenant, app_run.c.app == old.c.app, app_run.c.id == old.c.run_id
    )
    over = select(old.c.id).where(old.c.state != "open", old.c.created_at < moment, ~run)
    gone = delete(app_message).where(app_message.c.tenant_id == tx.tenant, app_message.c.id.in_(over))
    is_last = len(seen) < OLDEST or seen[-1]["created_at"] >= moment
    return tx.execute(gone).rowcount, 0 if is_last else int(seen[-1]["id"])
