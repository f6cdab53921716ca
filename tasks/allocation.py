"""Servers for clusters: taken from pools, installed, and given back, a few at a time (see `tasks.pools`)."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from app.domain.errors import StepError
from app.domain.policy import backoff
from app.domain.rows.runs import RunRow
from app.record.inventory import allocations
from app.record.runs import runs
from app.record.session import Tx
from tasks import pools as machines
from tasks.context import Context
from tasks.managed import CLUSTER, PATIENT, POLLS, UNTIL_GONE, ours, since_now, wait_on
from tasks.objects import StillThere
from tasks.step import Again, operation

Row = dict[str, Any]
Pools = list[dict[str, Any]]  # [{poolId, count, image, address?, user?}]
AT_ONCE = 4  # Servers of one cluster that are installed, or given back, at the same time.
SSH_PORT, SSH_USER = 22, "root"


class NotInstalled(StepError):
    """A server could not be installed; the code is that of its run."""

    retryable = False


def machines_for(ctx: Context, cluster_id: str, pools: Pools) -> list[Row]:
    """What a deployment is told of the servers it is built on: of each pool those it has had longest."""
    kept = ctx.db.read(lambda tx: _kept(allocations.held_by(tx, cluster_id), pools))
    users = {pool["poolId"]: pool.get("user") or SSH_USER for pool in pools}
    return [{"address": one["address"], "port": SSH_PORT, "user": users[one["pool_id"]]} for one in kept]


def _takes_servers(known: Mapping[str, Any]) -> bool:
    return bool((known.get("wanted") or {}).get("nodePools"))


@operation(timeout="2h", every=POLLS, retry=backoff("5s", cap="30s", limit=3), effect=_takes_servers)
def allocate_resources(ctx: Context, cluster_id: str, wanted: Row) -> dict[str, object]:
    """Take what is missing of the pools, all or nothing; what the cluster has already counts."""
    _take_missing(ctx, cluster_id, wanted["nodePools"])
    return since_now(ctx)


@allocate_resources.poll
def are_installed(
    ctx: Context, cluster_id: str, ref: Row, wanted: Row, slow_after: str = "45m"
) -> Again | dict[str, object]:
    """Install the next few, and wait for all; the first that fails fails the step.

    A server that failed is the cluster's no longer: whoever resumes or retries the step gets another one.
    """
    _take_missing(ctx, cluster_id, wanted["nodePools"])
    found = ctx.db.read(lambda tx: _with_runs(tx, allocations.held_by(tx, cluster_id), "provision_run"))
    for row, run in found:
        if run is not None and run["status"] in ("failed", "cancelled"):
            ctx.db.write(lambda tx, row=row: machines.end(tx, row))  # type: ignore[misc]
            raise _not_installed(row, run)
    missing = [row for row, run in found if run is None and not machines.stands(ctx, row)]
    active = [row for row, run in found if run is not None and run["completed_at"] is None]
    if not missing and not active:
        return {}
    # A few at a time: each installation is a run with a lock, and all of them ask one boot service.
    for row in missing[: max(0, AT_ONCE - len(active))]:
        machines.install(ctx, row)
    told = f"{len(found) - len(missing) - len(active)} of {len(found)} servers are installed"
    return wait_on(ctx, CLUSTER, cluster_id, ref, slow_after, told)


@allocate_resources.undo(retry=UNTIL_GONE)
def give_back(ctx: Context, cluster_id: str) -> None:
    """The cluster has no server that this run took; installations are undone, installed servers wiped."""
    taken = ctx.db.read(lambda tx: _taken_by(tx, ctx, cluster_id))
    waits_for = _leave(ctx, taken)
    if waits_for:
        raise StillThere("; ".join(waits_for))


@operation(timeout="2h", usual="2m", every=POLLS, retry=PATIENT)
def release_surplus(ctx: Context, cluster_id: str, wanted: Row) -> dict[str, object]:
    """Give back the servers that the cluster is not built on any more."""

    def surplus(tx: Tx) -> list[str]:
        # Fixed when the step begins, by their ids: a repeated poll must not give back what a later request
        # has added.
        rows = allocations.held_by(tx, cluster_id)
        kept = {one["id"] for one in _kept(rows, wanted["nodePools"])}
        return [one["id"] for one in rows if one["id"] not in kept]

    return since_now(ctx, allocations=ctx.db.read(surplus))


@release_surplus.poll
def surplus_is_released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str = "30m"
) -> Again | dict[str, object]:
    """All of them, a few at a time."""
    return _released(ctx, cluster_id, ref, slow_after, set(ref["allocations"]))


@operation(timeout="2h", usual="2m", every=POLLS, retry=PATIENT)
def release_resources(ctx: Context, cluster_id: str) -> dict[str, object]:
    """Give back every server; the cluster that was built on them is gone."""
    return since_now(ctx)


@release_resources.poll
def all_are_released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str = "30m"
) -> Again | dict[str, object]:
    """All of them, a few at a time."""
    return _released(ctx, cluster_id, ref, slow_after, None)


def _kept(rows: Iterable[Row], pools: Pools) -> list[Row]:
    left = {pool["poolId"]: int(pool["count"]) for pool in pools}
    kept = []
    for row in rows:
        if left.get(row["pool_id"], 0) > 0:
            left[row["pool_id"]] -= 1
            kept.append(row)
    return kept


def _take_missing(ctx: Context, cluster_id: str, pools: Pools) -> None:
    if pools:
        taken = ctx.db.write(lambda tx: _take(tx, ctx, cluster_id, pools))
        if taken:
            ctx.log("servers taken", servers=taken)


def _take(tx: Tx, ctx: Context, cluster_id: str, pools: Pools) -> list[str]:
    taken = []
    for pool in pools:
        has = [one for one in allocations.held_by(tx, cluster_id) if one["pool_id"] == pool["poolId"]]
        missing = int(pool["count"]) - len(has)
        if missing > 0:
            address = partial(_address, pool.get("address") or "{displayName}")
            found = machines.take(tx, ctx, cluster_id, pool["poolId"], missing, pool["image"], address)
            taken += [one["server_id"] for one in found]
    return taken


def _address(pattern: str, server: Mapping[str, object]) -> str:
    """What the cluster calls a server: its names put into the pattern that the request gave."""
    names = {"id": server["id"], "serial": server["serial"], "bootMac": server["boot_mac"]}
    names["displayName"] = server["display_name"] or server["id"]
    for name, value in names.items():
        pattern = pattern.replace("{" + name + "}", str(value or ""))
    return pattern


def _not_installed(row: Row, run: RunRow) -> NotInstalled:
    why = run["error_message"] or "it was cancelled"
    error = NotInstalled(f"server {row['server_id']}: {why}", run=run["id"], server=row["server_id"])
    error.code = run["error_code"] or "STEP_FAILED"  # type: ignore[misc]
    return error


def _released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str, chosen: set[str] | None
) -> Again | dict[str, object]:
    rows = ctx.db.read(lambda tx: allocations.held_by(tx, cluster_id))
    waits_for = _leave(ctx, [row for row in rows if chosen is None or row["id"] in chosen])
    if not waits_for:
        return {}
    return wait_on(ctx, CLUSTER, cluster_id, ref, slow_after, "; ".join(waits_for))


def _leave(ctx: Context, rows: list[Row]) -> list[str]:
    """Bring servers nearer to where nobody has them, a few at a time; what is still to be waited for."""
    waits_for: list[str] = []
    for row in rows:
        if len(waits_for) == AT_ONCE:
            break
        told = machines.leave(ctx, row)
        if told is not None:
            waits_for.append(told)
    return waits_for


def _taken_by(tx: Tx, ctx: Context, cluster_id: str) -> list[Row]:
    return [row for row in allocations.held_by(tx, cluster_id) if ours(tx, ctx, row["run_id"])]


def _with_runs(tx: Tx, rows: list[Row], column: str) -> list[tuple[Row, RunRow | None]]:
    return [(row, runs.read_run(tx, row[column]) if row[column] else None) for row in rows]
