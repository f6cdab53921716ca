"""Lists for readers: servers, pools, locks, webhooks, deliveries; those of runs are in `runlist`.

Each filter is one that an index of `app.record.tables` answers, however many rows there are; tags and parts
of names are looked for among the rows that the other filters leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import (
    allocation,
    beat,
    delivery,
    delivery_attempt,
    lock,
    pool,
    server,
    step,
    webhook,
)

FREE_STATE = "available"  # A server in it may be taken from its pool.
GONE_STATE = "decommissioned"

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ServerFilters:
    """What narrows a list of servers; all given ones must hold."""

    state: str | None = None
    pool_id: str | None = None
    health: str | None = None
    tags: tuple[str, ...] = field(default=())
    q: str | None = None  # Part of the name, serial number or address.


def list_servers(tx: Tx, filters: ServerFilters, window: Window) -> Page:
    """Which servers are there? Decommissioned ones only when their state is asked for."""
    return page(tx, server, _server_where(tx, filters), window)


def is_free() -> ColumnElement[bool]:
    """Whether a server may be taken from its pool: nobody uses it, and nobody is about to let go of it."""
    taken = (
        allocation.c.tenant_id == server.c.tenant_id,
        allocation.c.server_id == server.c.id,
        allocation.c.released_at.is_(None),
    )
    return and_(
        server.c.state == FREE_STATE,
        server.c.maintenance.is_(False),
        server.c.reserved_by.is_(None),
        ~exists().where(*taken),
    )


def pool_counts(tx: Tx, pool_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many machines do these pools have, and how many are free?"""
    query = (
        select(
            server.c.pool_id,
            func.count().label("total"),
            func.count().filter(is_free()).label("free"),
        )
        .where(server.c.tenant_id == tx.tenant, server.c.pool_id.in_(pool_ids), server.c.state != GONE_STATE)
        .group_by(server.c.pool_id)
    )
    found = {row["pool_id"]: {"total": row["total"], "free": row["free"]} for row in tx.rows(query)}
    return {pool_id: found.get(pool_id, {"total": 0, "free": 0}) for pool_id in pool_ids}


def list_pools(tx: Tx, window: Window) -> Page:
    """Which pools are there?"""
    return page(tx, pool, [pool.c.tenant_id == tx.tenant], window)


def list_webhooks(tx: Tx, window: Window) -> Page:
    """Which endpoints are there, those of single runs left out?"""
    return page(tx, webhook, [webhook.c.tenant_id == tx.tenant, webhook.c.run_id.is_(None)], window)


def list_deliveries(tx: Tx, webhook_id: str, status: str | None, window: Window) -> Page:
    """What was sent, or is to be sent, to an endpoint?"""
    where = [delivery.c.tenant_id == tx.tenant, delivery.c.webhook_id == webhook_id]
    return page(tx, delivery, where + ([delivery.c.status == status] if status else []), window)


def attempts_of(tx: Tx, delivery_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Which attempts were made to send these?"""
    found: dict[str, list[Row]] = {delivery_id: [] for delivery_id in delivery_ids}
    tried = delivery_attempt
    where = (tried.c.tenant_id == tx.tenant, tried.c.delivery_id.in_(delivery_ids))
    for row in tx.rows(select(tried).where(*where).order_by(tried.c.delivery_id, tried.c.attempt)):
        found[row["delivery_id"]].append(row)
    return found


def read_pool(tx: Tx, pool_id: str) -> Row | None:
    """Which pool is this?"""
    return tx.row(select(pool).where(pool.c.tenant_id == tx.tenant, pool.c.id == pool_id))


def list_locks(tx: Tx, resource: str | None, window: Window) -> Page:
    """Which resources are locked?"""
    held = select(lock, lock.c.granted_at.label("created_at"), lock.c.resource.label("id")).subquery("held")
    where = [held.c.tenant_id == tx.tenant, *([held.c.resource == resource] if resource else [])]
    return page(tx, held, where, window)


def current_step(tx: Tx, run_id: str) -> str | None:
    """At which step is a run: the one that runs or waits, or else the one that failed?"""
    busy = ("running", "waiting", "retry_wait", "failed")
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.status.in_(busy))
    newest = step.c.first_started_at.desc()
    found: str | None = tx.value(
        select(step.c.key).where(*where).order_by(newest, step.c.ordinal.desc()).limit(1)
    )
    return found


def newest_beat(tx: Tx, kind: str) -> int | None:
    """When did a process of this kind last say that it lives?"""
    newest: int | None = tx.value(
        select(func.max(beat.c.at)).where(beat.c.tenant_id == tx.tenant, beat.c.kind == kind)
    )
    return newest


def beat_age_ms(tx: Tx, kind: str) -> int | None:
    """For how long has no process of this kind said that it lives?"""
    newest = newest_beat(tx, kind)
    return None if newest is None else max(0, tx.now - newest)


def _server_where(tx: Tx, filters: ServerFilters) -> list[ColumnElement[bool]]:
    where = [server.c.tenant_id == tx.tenant]
    for column, value in ((server.c.pool_id, filters.pool_id), (server.c.health, filters.health)):
        if value is not None:
            where.append(column == value)
    where.append(server.c.state != GONE_STATE if filters.state is None else server.c.state == filters.state)
    if filters.q is not None:
        named = (server.c.display_name, server.c.serial, server.c.bmc_address, server.c.id)
        where.append(or_(*(column.icontains(filters.q, autoescape=True) for column in named)))
    return where + [has_tag(tx, server, tag) for tag in filters.tags]


def has_tag(tx: Tx, table: Table, tag: str) -> ColumnElement[bool]:
    """Whether a row bears a tag."""
    if tx.dialect == "postgresql":
        return cast(table.c.tags, JSONB).contains([tag])
    each = func.json_each(table.c.tags).table_valued("value")
    return select(each.c.value).where(each.c.value == tag).exists()
