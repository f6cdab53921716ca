"""The audit log: one row for each change, never changed and deleted by the retention alone."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select

from app.domain.rows.service import AuditRow
from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import audit


@dataclass(frozen=True, kw_only=True)
class AuditFilters:
    """What narrows the audit log; all given ones must hold, and an index answers each."""

    actor: str | None = None
    action: str | None = None  # "pool.change".
    resource_type: str | None = None
    resource_id: str | None = None
    since: int | None = None
    until: int | None = None


def insert_entry(tx: Tx, values: AuditRow) -> None:
    """Add an entry, in the transaction of the change."""
    tx.execute(insert(audit), {"tenant_id": tx.tenant, "created_at": tx.now, **values})


def list_entries(tx: Tx, filters: AuditFilters, window: Window) -> Page:
    """Which changes were made?"""
    return page(tx, audit, _where(tx, filters), window)


def forget_before(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Delete entries that were made before this time, in one small batch; returns how many."""
    old = select(audit.c.id).where(audit.c.tenant_id == tx.tenant, audit.c.created_at < before)
    ids = [row["id"] for row in tx.rows(old.order_by(audit.c.created_at).limit(limit))]
    tx.execute(delete(audit).where(audit.c.tenant_id == tx.tenant, audit.c.id.in_(ids)))
    return len(ids)


def _where(tx: Tx, filters: AuditFilters) -> list[ColumnElement[bool]]:
    equal = {
        audit.c.actor: filters.actor,
        audit.c.action: filters.action,
        audit.c.resource_type: filters.resource_type,
        audit.c.resource_id: filters.resource_id,
    }
    where = [audit.c.tenant_id == tx.tenant]
    where += [column == value for column, value in equal.items() if value is not None]
    if filters.since is not None:
        where.append(audit.c.created_at >= filters.since)
    if filters.until is not None:
        where.append(audit.c.created_at < filters.until)
    return where
