"""Lists for readers: runs, steps, events, servers, pools, locks, webhooks, deliveries.

Each filter is one that an index of `app.record.tables` answers, however many rows there are; tags and parts
of names are looked for among the rows that the other filters leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    Text,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.domain.states import API_STATUS, API_WORDS
from app.record.paging import EXACT_TOTAL, Page, Window, page
from app.record.session import Tx
from app.record.tables import (
    OPEN,
    beat,
    delivery,
    delivery_attempt,
    event,
    lock,
    pool,
    run,
    server,
    step,
    webhook,
)

WAITS_AFTER_MS = 5_000  # A message that is due for longer than this makes its run one that does not move.
OPEN_WORDS = ("pending", "running")
RESOURCE_TYPES = {"srv": "server", "cls": "cluster", "vm": "vm"}
FREE_STATE = "available"  # A server in it may be taken from its pool.
GONE_STATE = "decommissioned"
STATUSES_OF = {word: tuple(str(s) for s, api in API_STATUS.items() if api == word) for word in API_WORDS}

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunFilters:
    """What narrows a list of runs; all given ones must hold (contract 1, A.4)."""

    type: str | None = None
    status: str | None = None  # One of the five words.
    resource_type: str | None = None
    resource_id: str | None = None
    triggered_by: str | None = None
    since: int | None = None  # Started, or else created, at or after.
    until: int | None = None  # Started, or else created, before.
    retry_of: str | None = None
    waiting: bool | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServerFilters:
    """What narrows a list of servers; all given ones must hold."""

    state: str | None = None
    pool_id: str | None = None
    health: str | None = None
    tags: tuple[str, ...] = field(default=())
    q: str | None = None  # Part of the name, serial number or address.


def list_runs(tx: Tx, filters: RunFilters, window: Window) -> Page:
    """Which runs are there?"""
    return page(tx, run, _run_where(tx, filters), window)


def list_servers(tx: Tx, filters: ServerFilters, window: Window) -> Page:
    """Which servers are there? Decommissioned ones only when their state is asked for."""
    return page(tx, server, _server_where(tx, filters), window)


def steps_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, list[Row]]:
    """What are the steps of these runs, in order, forward before undo?"""
    found: dict[str, list[Row]] = {run_id: [] for run_id in run_ids}
    if run_ids:
        where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(run_ids))
        for row in tx.rows(
            select(step).where(*where).order_by(step.c.run_id, step.c.phase.desc(), step.c.ordinal)
        ):
            found[row["run_id"]].append(row)
    return found


def retries_of(tx: Tx, run_id: str) -> list[str]:
    """Which runs retried this one, oldest first? Sorted here: by itself SQLite would walk all ids for it."""
    where = (run.c.tenant_id == tx.tenant, run.c.retry_of == run_id)
    return sorted(row["id"] for row in tx.rows(select(run.c.id).where(*where)))


def events(tx: Tx, run_id: str, *, after: int = 0, limit: int = 100, until: int | None = None) -> list[Row]:
    """What happened to a run after this event, oldest first?"""
    where = [event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq > after]
    if until is not None:
        where.append(event.c.seq <= until)
    return tx.rows(select(event).where(*where).order_by(event.c.seq).limit(limit))


def pool_counts(tx: Tx, pool_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many machines do these pools have, and how many are free?"""
    free = and_(server.c.state == FREE_STATE, server.c.maintenance.is_(False), server.c.reserved_by.is_(None))
    query = (
        select(
            server.c.pool_id,
            func.count().label("total"),
            func.count().filter(free).label("free"),
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


def _run_where(tx: Tx, filters: RunFilters) -> list[ColumnElement[bool]]:
    began = func.coalesce(run.c.started_at, run.c.created_at)
    equal = {
        run.c.type: filters.type,
        run.c.resource_type: filters.resource_type or _resource_type(filters.resource_id),
        run.c.resource_id: filters.resource_id,
        run.c.triggered_by: filters.triggered_by,
    }
    where = [
        run.c.tenant_id == tx.tenant,
        *(column == value for column, value in equal.items() if value is not None),
    ]
    if filters.type is None:
        where.append(run.c.type.not_like("sync.%"))
    if filters.status in OPEN_WORDS:
        others = [status for word in OPEN_WORDS if word != filters.status for status in STATUSES_OF[word]]
        where += [_open(), run.c.status.not_in(others)]  # The index over open runs is small: walk that one.
    elif filters.status is not None:
        where.append(run.c.status.in_(STATUSES_OF[filters.status]))
    if filters.since is not None:
        where += [began >= filters.since, run.c.created_at >= _oldest_since(tx, filters.since)]
    if filters.until is not None:
        # No run starts before it is created: the second half is what an index answers.
        where += [began < filters.until, run.c.created_at < filters.until]
    if filters.retry_of is not None:
        found = retries_of(tx, filters.retry_of)  # A few ids, rather than a walk by age.
        where.append(run.c.id.in_(found) if found else false())
    if filters.waiting is not None:
        where += _waiting(tx, filters.waiting)
    return where + [_has_tag(tx, run, tag) for tag in filters.tags]


def _waiting(tx: Tx, wanted: bool) -> list[ColumnElement[bool]]:
    # A JSON column may hold nothing, or the JSON value null.
    said = func.coalesce(cast(run.c.waiting_on, Text), "null") != "null"
    overdue = func.coalesce(run.c.expect_since, tx.now) < tx.now - WAITS_AFTER_MS
    stands = or_(said, overdue)
    return [_open(), stands] if wanted else [~and_(run.c.completed_at.is_(None), stands)]


def _open() -> ColumnElement[bool]:
    """The very words of the partial index over open runs, so that it answers."""
    words: ColumnElement[bool] = text(OPEN)  # type: ignore[assignment]
    return words


def _resource_type(resource_id: str | None) -> str | None:
    """What an id of ours says by its prefix; the index over resources begins with it."""
    return RESOURCE_TYPES.get((resource_id or "").partition("_")[0])


def _oldest_since(tx: Tx, since: int) -> int:
    """No run that began at or after `since` was created before this: where the walk by age may stop.

    A run that was created earlier and began later is open, or ended later still. When those are too many to
    look at, matches are so frequent that the walk needs no end.
    """
    later = (run.c.tenant_id == tx.tenant, run.c.completed_at >= since)
    ended = select(run.c.created_at).where(*later).limit(EXACT_TOTAL + 1).subquery()
    many, first = tx.connection.execute(select(func.count(), func.min(ended.c.created_at))).one()
    if many > EXACT_TOTAL:
        return 0
    open_ = tx.value(select(func.min(run.c.created_at)).where(run.c.tenant_id == tx.tenant, _open()))
    return min([since, *(int(at) for at in (first, open_) if at is not None)])


def _server_where(tx: Tx, filters: ServerFilters) -> list[ColumnElement[bool]]:
    where = [server.c.tenant_id == tx.tenant]
    for column, value in ((server.c.pool_id, filters.pool_id), (server.c.health, filters.health)):
        if value is not None:
            where.append(column == value)
    where.append(server.c.state != GONE_STATE if filters.state is None else server.c.state == filters.state)
    if filters.q is not None:
        named = (server.c.display_name, server.c.serial, server.c.bmc_address, server.c.id)
        where.append(or_(*(column.icontains(filters.q, autoescape=True) for column in named)))
    return where + [_has_tag(tx, server, tag) for tag in filters.tags]


def _has_tag(tx: Tx, table: Table, tag: str) -> ColumnElement[bool]:
    if tx.dialect == "postgresql":
        return cast(table.c.tags, JSONB).contains([tag])
    each = func.json_each(table.c.tags).table_valued("value")
    return select(each.c.value).where(each.c.value == tag).exists()
