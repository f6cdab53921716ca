"""What steps on clusters and on virtual machines share: how one begins, how one fails, how long one waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.domain import clusters as cluster_states
from app.domain import vms as vm_states
from app.domain.clock import duration_ms
from app.domain.errors import Permanent
from app.domain.policy import backoff
from app.record.inventory import in_transit
from app.record.inventory.managed import Managed, clusters, vms
from app.record.runs import runs
from app.record.session import Tx
from tasks.context import Context
from tasks.step import Again

Row = dict[str, Any]
PATIENT = backoff("1s", cap="15s", limit=10)
WAITS = backoff("1s", cap="15s", limit=0)  # An answer that says nothing ends no wait; its own limit does.
UNTIL_GONE = backoff("1s", factor=1.5, cap="15s", limit=0, deadline="30m")  # Deletions take their time.
POLLS = backoff("1s", factor=1.5, cap="15s", limit=0, jitter=False)


class WrongState(Permanent):
    """The resource is no longer in a state that allows this."""

    code = "INVALID_STATE_TRANSITION"
    nothing_happened = True


class Objects(Protocol):
    """What a management cluster has of one kind."""

    def find(self, name: str) -> object:
        """An object as it is now."""

    def delete(self, name: str, uid: str | None = None) -> bool:
        """Ask for its end."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Where the rows and objects of one kind of resource are kept, and which of its states allows what."""

    noun: str
    object: str  # What Kubernetes calls it.
    objects: Callable[[Context, str], Objects]  # Those of a management cluster.
    rows: Managed
    transient: Mapping[str, str]
    allows: Callable[..., bool]


CLUSTER = Kind(
    noun="cluster",
    object="ClusterDeployment",
    objects=Context.clusters,
    rows=clusters,
    transient=cluster_states.TRANSIENT,
    allows=cluster_states.allows,
)
VM = Kind(
    noun="machine",
    object="VirtualMachine",
    objects=Context.machines,
    rows=vms,
    transient=vm_states.TRANSIENT,
    allows=vm_states.allows,
)


def row_of(ctx: Context, kind: Kind, id_: str) -> Row:
    """The resource as it is recorded."""
    row = ctx.db.read(lambda tx: kind.rows.read(tx, id_))
    if row is None:
        raise WrongState(f"{kind.noun} {id_} is gone")
    return row


def begin(ctx: Context, kind: Kind, id_: str, action: str) -> Row:
    """Check that the action is still allowed, and show in the state that it has begun.

    The row, with ``was``: the state that a cancelled run gives back.
    """

    def work(tx: Tx) -> Row:
        row = kind.rows.read(tx, id_, lock=True)
        if row is None:
            raise WrongState(f"{kind.noun} {id_} is gone")
        shown = kind.transient.get(action, row["state"])
        begun = row["state"] == shown and action in kind.transient
        if not begun and not kind.allows(row["state"], action, built=row["uid"] is not None):
            raise WrongState(
                f"{kind.noun} {id_} is {row['state']}, which does not allow {action}", state=row["state"]
            )
        was = row["state_before"] if begun else row["state"]
        changes: Row = {"state": shown, "state_before": was, "run_id": ctx.run_id, "slow_since": None}
        kind.rows.change(tx, id_, changes)
        return {**row, "was": was}

    return ctx.db.write(work)


def mark_error(ctx: Context, kind: Kind, id_: str, was: str | None) -> None:
    """After a failure the resource says `error` and names the run; after a cancel it is what it was."""

    def work(tx: Tx) -> None:
        row = kind.rows.read(tx, id_, lock=True)
        if row is None or not ours(tx, ctx, row["run_id"]):
            return
        before = row["state_before"] or was
        cancelled = ctx.goal == "cancelled"
        state = before if cancelled and before not in (None, "creating") and _stands(row) else "error"
        ended = "was cancelled" if cancelled else "failed"
        run = runs.read_run(tx, ctx.run_id)
        reasons = [in_transit.reason(run, ended)] if state == "error" and run is not None else []
        changes = {"state": state, "state_before": None, "slow_since": None, "run_id": ctx.run_id}
        kind.rows.change(tx, id_, {**changes, "failure_reasons": reasons})

    ctx.db.write(work)


def reach(ctx: Context, kind: Kind, id_: str, state: str, **more: object) -> None:
    """Show the state that the resource has reached."""
    changes: Row = {"state": state, "state_before": None, "slow_since": None, "failure_reasons": []}
    ctx.db.write(lambda tx: kind.rows.change(tx, id_, {**changes, "run_id": ctx.run_id, **more}))


def since_now(ctx: Context, **more: object) -> dict[str, object]:
    """The reference of a wait: when it began, by the database's clock."""
    return {"since": ctx.db.read(lambda tx: tx.now), **more}


def wait_on(ctx: Context, kind: Kind, id_: str, ref: Mapping[str, Any], slow_after: str, told: str) -> Again:
    """Wait on; once it takes longer than usual the resource says so, long before the wait is given up."""
    slow_at = int(ref["since"]) + duration_ms(slow_after)

    def work(tx: Tx) -> bool:
        row = kind.rows.read(tx, id_)
        late = tx.now > slow_at and row is not None and row["slow_since"] is None
        if late:
            kind.rows.change(tx, id_, {"slow_since": tx.now})
        return tx.now > slow_at

    slow = ctx.db.write(work)
    return Again(f"slow: {told}" if slow else told)


def _stands(row: Row) -> bool:
    """Whether the resource still has its object, and that is not on its way out."""
    return row["uid"] is not None and not (row["observed"] or {}).get("deleting")


def ours(tx: Tx, ctx: Context, run_id: str | None) -> bool:
    """Whether a run is this one, or one whose effects this one took over by retrying it."""
    line: str | None = ctx.run_id
    while line is not None and line != run_id:
        line = (runs.read_run(tx, line) or {}).get("retry_of")
    return line is not None
