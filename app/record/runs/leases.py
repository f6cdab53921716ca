"""Leases: who holds a running step of which run.

A claim writes a row, and the transaction that ends the last step of its holder deletes it, so there is a row
for every running step. The end of the lease is a column of the step, where heartbeats extend it. Running
steps are found by these few rows and not by an index of the steps: with an index on their status or lease,
PostgreSQL would write to all indexes at every transition.
"""

from sqlalchemy import ColumnElement, bindparam, delete, exists, select

from app.record.fast_path.transition import Leases
from app.record.session import Tx
from app.record.tables import lease, step

_END = delete(lease).where(
    lease.c.tenant_id == bindparam("b_tenant"),
    lease.c.run_id == bindparam("b_run"),
    lease.c.holder == bindparam("b_holder"),
)
_HOLDS = exists().where(
    step.c.tenant_id == lease.c.tenant_id,
    step.c.run_id == lease.c.run_id,
    step.c.holder == lease.c.holder,
    step.c.status == "running",
)


def write(tx: Tx, run_id: str, leases: Leases) -> None:
    """Write which leases of a locked run begin and end."""
    place = {"tenant_id": tx.tenant, "run_id": run_id}
    for holder, until in leases.begun.items():
        # An upsert: of steps that were taken from a holder a row may be left, until `forget_idle` comes.
        begun = tx.insert(lease).values(**place, holder=holder, until=until)
        tx.execute(begun.on_conflict_do_update(index_elements=[*place, "holder"], set_={"until": until}))
    for holder in leases.ended:
        tx.execute(_END, {"b_tenant": tx.tenant, "b_run": run_id, "b_holder": holder})


def holders_at(tx: Tx, place: str) -> set[str]:
    """Who holds something, of the worker processes of this place."""
    here = lease.c.holder.startswith(f"{place}:", autoescape=True)
    found = tx.rows(select(lease.c.holder).where(lease.c.tenant_id == tx.tenant, here))
    return {row["holder"] for row in found}


def is_noted() -> ColumnElement[bool]:
    """Whether there is a lease for a row of `step`, which the question around this is about."""
    return exists().where(
        lease.c.tenant_id == step.c.tenant_id,
        lease.c.run_id == step.c.run_id,
        lease.c.holder == step.c.holder,
    )


def forget_idle(tx: Tx) -> int:
    """Delete the leases that were left of steps which were taken from their holders; returns how many.

    Whoever claims meanwhile renews the row, which is then no longer over.
    """
    over = (lease.c.tenant_id == tx.tenant, lease.c.until < tx.now, ~_HOLDS)
    return tx.execute(delete(lease).where(*over)).rowcount
