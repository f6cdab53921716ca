"""What a free text may mean: runs by a part of their id, and resources by what people call them.

An index answers for runs, however many there are; the tables of resources are short, and are walked.
"""

from sqlalchemy import Column, Table, func, null, or_, select
from sqlalchemy import text as sql

from app.record.session import Tx
from app.record.tables import cluster, management, pool, run, schedule, server, vm
from app.record.tables.runs import ENDING, ID_ENDING

MOST_RUNS = 500
MOST_RESOURCES = 50  # Of each kind.
ENDING_INDEX = "ix_run_ending"
LAST = "z" * 128  # Whatever an id may consist of sorts before this, behind the same beginning.
NAMES: tuple[tuple[str, Table, tuple[str, ...]], ...] = (
    ("server", server, ("display_name", "serial", "bmc_address", "boot_mac", "id")),
    ("cluster", cluster, ("name", "display_name", "id")),
    ("vm", vm, ("name", "display_name", "id")),
    ("management", management, ("name", "id")),
)

OTHERS: tuple[tuple[str, Table, tuple[str, ...]], ...] = (
    ("pool", pool, ("name", "id")),
    ("schedule", schedule, ("name", "id")),
)


def runs_called(tx: Tx, text: str) -> list[str]:
    """The ids of runs that begin with the text, with or without ``run_``, or end with it; the newest first.

    The end of an id counts from six characters on.
    """
    found = {id_: None for begin in dict.fromkeys((text, f"run_{text}")) for id_ in _beginning(tx, begin)}
    return [*found, *(id_ for id_ in _ending(tx, text) if id_ not in found)]


def resources_called(tx: Tx, text: str) -> list[tuple[str, str, str | None]]:
    """Kind, id and name of the resources that have the text in a name, an address or a serial number."""
    found = []
    for kind, table, names in NAMES:
        has = or_(*(table.c[name].icontains(text, autoescape=True) for name in names))
        shown = (table.c.id, table.c[names[0]].label("name"))
        query = select(*shown).where(table.c.tenant_id == tx.tenant, has).order_by(table.c.id.desc())
        found += [(kind, row["id"], row["name"]) for row in tx.rows(query.limit(MOST_RESOURCES))]
    return found


def things_called(tx: Tx, text: str) -> list[tuple[str, str, str | None, str | None]]:
    """Kind, id, name and state of whatever has the text in a name, an address or an id, but runs."""
    found = []
    for kind, table, names in (*NAMES, *OTHERS):
        has = or_(*(table.c[name].icontains(text, autoescape=True) for name in names))
        state = table.c.state if "state" in table.c else null()
        shown = (table.c.id, table.c[names[0]].label("name"), state.label("state"))
        query = select(*shown).where(table.c.tenant_id == tx.tenant, has).order_by(table.c.id.desc())
        rows = tx.rows(query.limit(MOST_RESOURCES))
        found += [(kind, row["id"], row["name"], row["state"]) for row in rows]
    return found


def _beginning(tx: Tx, text: str) -> list[str]:
    id_: Column[str] = run.c.id
    where = (run.c.tenant_id == tx.tenant, id_ >= text, id_ <= text + LAST)
    begins = func.substr(id_, 1, len(text)) == text
    query = select(id_).where(*where, begins).order_by(id_.desc()).limit(MOST_RUNS)
    return [row["id"] for row in tx.rows(query)]


def _ending(tx: Tx, text: str) -> list[str]:
    if len(text) < ENDING:
        return []
    # SQLite keeps no statistics: unless it is told it would walk all ids of the tenant.
    hint = f"INDEXED BY {ENDING_INDEX}" if tx.dialect == "sqlite" else ""
    found = sql(f"SELECT id FROM run {hint} WHERE tenant_id = :tenant AND {ID_ENDING} = :ending")
    rows = tx.rows(found, {"tenant": tx.tenant, "ending": text[-ENDING:]})
    return sorted((row["id"] for row in rows if row["id"].endswith(text)), reverse=True)[:MOST_RUNS]
