"""The rows of batches and checkpoints. Each batch is also a run, with the same id."""

from collections.abc import Iterable, Sequence
from zlib import crc32

from sqlalchemy import insert, select, update

from app.domain.rows.batches import BatchRow, CheckpointRow
from app.record.session import Tx
from app.record.tables import batch, checkpoint, run

MOST_IDS = 1_000


def insert_batch(tx: Tx, row: BatchRow) -> None:
    """Store a batch."""
    tx.execute(insert(batch), {"tenant_id": tx.tenant, **row})


def read_batch(tx: Tx, run_id: str) -> BatchRow | None:
    """A batch by its id."""
    where = (batch.c.tenant_id == tx.tenant, batch.c.run_id == run_id)
    return tx.row(select(batch).where(*where), of=BatchRow)


def backend_of(tx: Tx, run_id: str) -> str | None:
    """The storage backend for the copies of a batch's checkpoints; None for a run that is not a batch."""
    where = (batch.c.tenant_id == tx.tenant, batch.c.run_id == run_id)
    found: str | None = tx.value(select(batch.c.storage_backend).where(*where))
    return found


def change_batch(tx: Tx, run_id: str, changes: BatchRow) -> None:
    """Change a batch whose run is locked."""
    tx.execute(
        update(batch).where(batch.c.tenant_id == tx.tenant, batch.c.run_id == run_id).values(**changes)
    )


def lineage(tx: Tx, first: str) -> list[BatchRow]:
    """The batches of a lineage (a batch and its retries), oldest first."""
    where = (batch.c.tenant_id == tx.tenant, batch.c.lineage == first)
    return tx.rows(select(batch).where(*where).order_by(batch.c.created_at, batch.c.run_id), of=BatchRow)


def open_of(tx: Tx, run_ids: Iterable[str | None]) -> str | None:
    """One of these runs that has not ended."""
    wanted = [one for one in run_ids if one is not None]
    where = (run.c.tenant_id == tx.tenant, run.c.id.in_(wanted), run.c.completed_at.is_(None))
    found: str | None = tx.value(select(run.c.id).where(*where).limit(1))
    return found


def insert_checkpoint(tx: Tx, row: CheckpointRow) -> None:
    """Store a checkpoint."""
    tx.execute(insert(checkpoint), {"tenant_id": tx.tenant, **row})


def checkpoints(tx: Tx, run_id: str, first: int = 0) -> list[CheckpointRow]:
    """The checkpoints of a batch from this number on, oldest first."""
    where = (checkpoint.c.tenant_id == tx.tenant, checkpoint.c.run_id == run_id)
    found = select(checkpoint).where(*where, checkpoint.c.sequence >= first)
    return tx.rows(found.order_by(checkpoint.c.sequence), of=CheckpointRow)


def has_copies(tx: Tx, run_id: str) -> bool:
    """Whether any checkpoint of a batch has been copied."""
    where = (checkpoint.c.tenant_id == tx.tenant, checkpoint.c.run_id == run_id)
    copied = select(checkpoint.c.sequence).where(*where, checkpoint.c.mirrored_at.is_not(None)).limit(1)
    return tx.value(copied) is not None


def last_checkpoint(tx: Tx, run_id: str) -> CheckpointRow | None:
    """The newest checkpoint of a batch."""
    where = (checkpoint.c.tenant_id == tx.tenant, checkpoint.c.run_id == run_id)
    newest = select(checkpoint).where(*where).order_by(checkpoint.c.sequence.desc()).limit(1)
    return tx.row(newest, of=CheckpointRow)


def change_checkpoints(tx: Tx, run_id: str, sequences: Iterable[int], changes: CheckpointRow) -> None:
    """Store the results of copying these checkpoints."""
    where = (
        checkpoint.c.tenant_id == tx.tenant,
        checkpoint.c.run_id == run_id,
        checkpoint.c.sequence.in_(list(sequences)),
    )
    tx.execute(update(checkpoint).where(*where).values(**changes))


def is_queued(tx: Tx, run_ids: Sequence[str]) -> bool:
    """Whether one of these runs has not begun yet; it does not begin in this transaction either."""
    ahead = select(run.c.id).where(
        run.c.tenant_id == tx.tenant, run.c.id.in_(run_ids), run.c.status == "queued"
    )
    return tx.value(ahead.limit(1).with_for_update(skip_locked=True, key_share=True)) is not None


def slot(run_id: str) -> int:
    """Which of the sixteen rows of a total counts this batch."""
    # Sixteen rows for each total: batches that end together seldom wait for one another here.
    return crc32(run_id.encode()) % 16
