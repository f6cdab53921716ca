"""Sources: who watches what, how fresh it is, and which changes wait to be told.

A source is held under a lease with a fence. Whatever its holder writes is written together with a look at the
fence, so that of two projectors that both believe to hold it only the later one is heard.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, exists, select, update

from app.domain.errors import WindlassError
from app.domain.observed import tallied
from app.record.session import Tx
from app.record.tables import management, server, source

KINDS = ("cluster", "vm")
STALE_MS = 150_000  # A watch that works is heard of every minute.
SERVERS = "server"  # The kind of the one source that is no collection of a management cluster.
Row = dict[str, Any]


class Superseded(WindlassError):
    """Another projector holds the source now."""

    code = "SOURCE_SUPERSEDED"


@dataclass(frozen=True, kw_only=True)
class Held:
    """A source in somebody's hands."""

    management_id: str
    kind: str
    fence: int


def wanted(tx: Tx, *, servers: bool) -> set[tuple[str, str]]:
    """Management cluster and kind of whatever there is to watch."""
    where = (management.c.tenant_id == tx.tenant, management.c.access.is_not(None))
    reachable = tx.rows(select(management.c.id).where(*where))
    found = {(row["id"], kind) for row in reachable for kind in KINDS}
    any_ = servers and tx.value(select(exists().where(server.c.tenant_id == tx.tenant)))
    return found | {("", SERVERS)} if any_ else found


def keep_up(tx: Tx, *, servers: bool) -> None:
    """Have a source for whatever there is to watch, and none for what is gone."""
    there = wanted(tx, servers=servers)
    known = {(row["management_id"], row["kind"]) for row in all_sources(tx)}
    for management_id, kind in sorted(there - known):
        row = {"tenant_id": tx.tenant, "management_id": management_id, "kind": kind}
        tx.execute(tx.insert(source).values(**row).on_conflict_do_nothing())
    for management_id, kind in sorted(known - there):
        tx.execute(delete(source).where(*_key(tx, management_id, kind)))


def all_sources(tx: Tx) -> list[Row]:
    """Every source with the name and the version of its management cluster."""
    of = and_(management.c.tenant_id == source.c.tenant_id, management.c.id == source.c.management_id)
    columns = (source, management.c.name, management.c.version.label("management_version"))
    found = select(*columns).outerjoin(management, of).where(source.c.tenant_id == tx.tenant)
    return tx.rows(found.order_by(source.c.management_id, source.c.kind))


def take(tx: Tx, row: Mapping[str, Any], holder: str, lease_ms: int) -> Held | None:
    """Take a source that was seen to be free, unless another was quicker, or its holder lives after all."""
    fence = row["fence"] + 1
    # The lease as well as the fence: its holder may have renewed it since it was seen to be over. It may be
    # NULL, which is equal to nothing.
    seen = (source.c.fence == row["fence"], source.c.lease_until.is_not_distinct_from(row["lease_until"]))
    lease = {"holder": holder, "fence": fence, "lease_until": tx.now + lease_ms}
    statement = update(source).where(*_key(tx, row["management_id"], row["kind"]), *seen)
    taken = tx.execute(statement.values(**lease)).rowcount == 1
    return Held(management_id=row["management_id"], kind=row["kind"], fence=fence) if taken else None


def renew(tx: Tx, held: Held, lease_ms: int, report: Mapping[str, Any]) -> bool:
    """Hold on to a source, and say how it is; False when somebody else has it."""
    values = {"lease_until": tx.now + lease_ms, **report}
    return tx.execute(update(source).where(*_own(tx, held)).values(**values)).rowcount == 1


def release(tx: Tx, held: Held) -> None:
    """Let go of a source, so that others need not wait for the end of the lease."""
    tx.execute(update(source).where(*_own(tx, held)).values(holder=None, lease_until=None))


def locked(tx: Tx, held: Held) -> Row:
    """The source, locked for its holder; raises `Superseded` when somebody else has it."""
    # Locked, not only read: whoever takes the source now waits until this write is committed, and reads it.
    row = tx.row(select(source).where(*_own(tx, held)).with_for_update())
    if row is None:
        raise Superseded(f"{held.kind} of {held.management_id} is watched by another projector")
    return row


def note_changes(tx: Tx, row: Mapping[str, Any], changed: Iterable[tuple[str, str]]) -> None:
    """Let changes wait until a run tells of them; the source must be locked."""
    tally = tallied(row["tally"], changed, tx.now)
    tx.execute(update(source).where(*_key(tx, row["management_id"], row["kind"])).values(tally=tally))


def told(tx: Tx, row: Mapping[str, Any], run_id: str) -> None:
    """A run tells of all that waited; the source must be locked."""
    values = {"tally": None, "told_at": tx.now, "run_id": run_id}
    tx.execute(update(source).where(*_key(tx, row["management_id"], row["kind"])).values(**values))


def staleness(tx: Tx) -> tuple[int, int, int | None]:
    """How many collections are to be watched, how many are stale, and how long ago the stalest was seen?"""
    there = {one for one in wanted(tx, servers=False) if one[1] != SERVERS}
    seen = {(row["management_id"], row["kind"]): row["seen_at"] for row in all_sources(tx)}
    ages = [tx.now - (seen.get(one) or 0) for one in there]
    known = [age for age in ages if age < tx.now]
    return len(there), sum(age > STALE_MS for age in ages), max(known, default=None)


def fresh(tx: Tx, kind: str) -> dict[str, int]:
    """Until when what is recorded was certainly so, by management cluster."""
    where = (source.c.tenant_id == tx.tenant, source.c.kind == kind, source.c.seen_at.is_not(None))
    found = tx.rows(select(source.c.management_id, source.c.seen_at).where(*where))
    return {row["management_id"]: row["seen_at"] for row in found}


def _key(tx: Tx, management_id: str, kind: str) -> tuple[Any, ...]:
    return (source.c.tenant_id == tx.tenant, source.c.management_id == management_id, source.c.kind == kind)


def _own(tx: Tx, held: Held) -> tuple[Any, ...]:
    return (*_key(tx, held.management_id, held.kind), source.c.fence == held.fence)
