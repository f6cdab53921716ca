"""What was seen of objects, kept in the rows of clusters and virtual machines."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, select, update

from app.domain.observed import Observation, Verdict, judge, judge_gone
from app.record.inventory.managed import GONE
from app.record.session import Tx
from app.record.tables import cluster, vm

TABLES: Mapping[str, Table] = {"cluster": cluster, "vm": vm}
Row = dict[str, Any]
Changed = list[tuple[str, str]]  # Ids of resources, and what became of them.


def observe(
    tx: Tx, kind: str, management_id: str, looks: Collection[Observation], *, dry: bool = False
) -> Changed:
    """Keep what is new in these looks; of several at one object the newest must come last.

    A dry one only says what would be kept, here and below.
    """
    newest = {look.id: look for look in looks}
    rows = _rows(tx, TABLES[kind], management_id, list(newest), lock=not dry)
    return _keep(tx, TABLES[kind], [(row, judge(row, newest[row["id"]])) for row in rows], dry)


def held_by_others(tx: Tx, kind: str, management_id: str, ids: Collection[str]) -> frozenset[str]:
    """Which of these resources have a row that somebody else holds; those of the others are locked now."""
    table = TABLES[kind]
    where = (table.c.tenant_id == tx.tenant, table.c.management_id == management_id, table.c.id.in_(ids))
    found = select(table.c.id).where(*where).order_by(table.c.id)
    free = {row["id"] for row in tx.rows(found.with_for_update(skip_locked=True))}
    return frozenset(row["id"] for row in tx.rows(found)) - free


def observe_gone(tx: Tx, kind: str, management_id: str, looks: Collection[Observation]) -> Changed:
    """Note that these objects are there no longer; a look tells the version at which they went."""
    gone = {look.id: look for look in looks}
    rows = _rows(tx, TABLES[kind], management_id, list(gone))
    judged = [(row, judge_gone(row, gone[row["id"]].uid, gone[row["id"]].version)) for row in rows]
    return _keep(tx, TABLES[kind], judged)


def unlisted(
    tx: Tx,
    kind: str,
    management_id: str,
    listed: Collection[str],
    *,
    among: Collection[str] | None = None,
) -> list[Row]:
    """Resources, or some of them, whose object was seen once and was not listed: id, name and uid."""
    table = TABLES[kind]
    columns = (table.c.id, table.c.name, table.c.uid)
    where = (table.c.management_id == management_id, table.c.uid.is_not(None), table.c.state != GONE)
    found = tx.rows(select(*columns).where(table.c.tenant_id == tx.tenant, *where))
    return [row for row in found if row["id"] not in listed and (among is None or row["id"] in among)]


def observe_missing(
    tx: Tx,
    kind: str,
    management_id: str,
    listed: Collection[str],
    version: str,
    *,
    among: Collection[str] | None = None,
    dry: bool = False,
) -> Changed:
    """Note the end of every object, or of those of some resources, that was not listed at this version.

    A list by label is no proof: whoever calls this has asked for each of them by its name.
    """
    chosen = [row["id"] for row in unlisted(tx, kind, management_id, listed, among=among)]
    rows = _rows(tx, TABLES[kind], management_id, chosen, lock=not dry)
    return _keep(tx, TABLES[kind], [(row, judge_gone(row, None, version)) for row in rows], dry)


def _rows(tx: Tx, table: Table, management_id: str, ids: Sequence[str], *, lock: bool = True) -> list[Row]:
    """The rows of resources by their ids, locked in one order whoever asks."""
    if not ids:
        return []
    names = ("id", "name", "uid", "resource_version", "observed", "state", "failure_reasons", "version")
    columns = (*(table.c[name] for name in names), table.c.updated_at)
    where = (table.c.management_id == management_id, table.c.id.in_(ids), table.c.state != GONE)
    # Two looks at the same objects, of a projector and of a synchronisation, lock them in the same order.
    found = select(*columns).where(table.c.tenant_id == tx.tenant, *where).order_by(table.c.id)
    return tx.rows(found.with_for_update() if lock else found)


def _keep(tx: Tx, table: Table, judged: Sequence[tuple[Row, Verdict | None]], dry: bool = False) -> Changed:
    """Write the verdicts; the version of a row grows only with its state, which people see and act on."""
    told = [(row, verdict) for row, verdict in judged if verdict is not None]
    if told and not dry:
        values = [_values(tx, row, verdict.changes) for row, verdict in told]
        written: dict[str, Any] = {name: bindparam(f"new_{name}") for name in values[0] if name != "row_id"}
        where = (table.c.tenant_id == tx.tenant, table.c.id == bindparam("row_id"))
        tx.execute(update(table).where(*where).values(**written), [_bound(one) for one in values])
    return [(row["id"], verdict.word) for row, verdict in told]


def _values(tx: Tx, row: Row, changes: Mapping[str, Any]) -> Row:
    kept = {name: row[name] for name in ("state", "failure_reasons", "version", "updated_at")}
    # Else every look would raise the version, and whoever edits a resource would be refused for changes he
    # cannot see.
    if "state" in changes:
        kept |= {"version": row["version"] + 1, "updated_at": tx.now}
    return {"row_id": row["id"], **kept, **changes, "observed_at": tx.now}


def _bound(values: Row) -> Row:
    return {name if name == "row_id" else f"new_{name}": value for name, value in values.items()}
