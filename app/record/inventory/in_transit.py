"""Resources that show that a run is at work on them (`provisioning`, `creating`); none stays so alone."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Table, and_, null, or_, select, union_all, update
from sqlalchemy.sql.expression import literal

from app.domain import clusters, servers, vms
from app.domain.states import TERMINAL
from app.record.session import Tx
from app.record.tables import cluster, run, server, vm

MOST_OF_MESSAGE = 300  # Of an error; the run has all of it.
IN_TRANSIT: dict[str, tuple[Table, frozenset[str]]] = {
    "server": (server, frozenset(servers.TRANSIENT.values())),
    "cluster": (cluster, frozenset(clusters.TRANSIENT.values())),
    "vm": (vm, frozenset(vms.TRANSIENT.values())),
}


def reason(run_row: Mapping[str, Any], ended: str) -> str:
    """Why a resource shows `error`: what its run failed with, and which run that was."""
    code, message = run_row["error_code"], str(run_row["error_message"] or "")
    cut = f"{message[:MOST_OF_MESSAGE]}…" if len(message) > MOST_OF_MESSAGE else message.rstrip(".")
    because = f" ({code}: {cut})" if code is not None else ""
    return f"{run_row['type']} {ended}{because}: see run {run_row['id']}"


def end(tx: Tx, kind: str, resource_id: str, line: Collection[str], why: str) -> None:
    """Show `error`, and why, unless something else shows by now; ``line`` is a run and what it retried.

    Everything that may be done with a resource is allowed in `error`, and nothing in transit.
    """
    table, states = IN_TRANSIT[kind]
    # Only if the resource still shows a run of this line: a later run may be at work on it.
    mine = (table.c.tenant_id == tx.tenant, table.c.id == resource_id, table.c.run_id.in_(line))
    values: dict[str, Any] = {"state": "error", "state_before": None, "failure_reasons": [why]}
    values |= {"version": table.c.version + 1, "updated_at": tx.now}
    if kind == "server":
        values["health"] = "unhealthy"
    tx.execute(update(table).where(*mine, table.c.state.in_(states)).values(**values))


def unreserve(tx: Tx, server_id: str, line: Collection[str]) -> None:
    """A machine that was reserved for a run which came to nothing is nobody's."""
    mine = (server.c.tenant_id == tx.tenant, server.c.id == server_id, server.c.reserved_by.in_(line))
    tx.execute(update(server).where(*mine).values(reserved_by=None, version=server.c.version + 1))


def stranded(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Resources in transit whose run has ended, or is not there: kind, id, state, run_id, and its status."""
    left = []
    for kind, (table, states) in IN_TRANSIT.items():
        theirs = and_(run.c.tenant_id == table.c.tenant_id, run.c.id == table.c.run_id)
        columns = (literal(kind).label("kind"), table.c.id, table.c.state, table.c.run_id, run.c.status)
        over = or_(run.c.status.in_(TERMINAL), run.c.id.is_(null()))
        where = (table.c.tenant_id == tx.tenant, table.c.state.in_(states), over)
        left.append(select(*columns).outerjoin(run, theirs).where(*where))
    return tx.rows(union_all(*left).limit(limit))
