"""Servers for clusters: taken from pools, installed by child runs, and given back by child runs.

What a cluster has is rows (``allocation``), so that every step can be repeated: it looks at what is there and
does what is missing. A server is spoken to by runs of its own alone, under its own lock.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.errors import StepError
from app.domain.ids import derived_id
from app.domain.policy import backoff
from app.domain.rows.runs import RunRow
from app.record.inventory import allocations, servers
from app.record.runs import runs
from app.record.session import Tx
from tasks.context import Context
from tasks.managed import CLUSTER, PATIENT, POLLS, UNTIL_GONE, ours, since_now, wait_on
from tasks.objects import StillThere
from tasks.step import Again, operation

Row = dict[str, Any]
Pools = list[dict[str, Any]]  # [{poolId, count, image, address?, user?}]
AT_ONCE = 4  # Servers of one cluster that are installed, or given back, at the same time.
SSH_PORT, SSH_USER = 22, "root"
INSTALLED = ("provisioned", "error")  # States of a server from which it has to be given back.


class PoolEmpty(StepError):
    """Not enough available servers in the pool."""

    code = "POOL_CAPACITY_EXCEEDED"
    nothing_happened = True


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
def allocate_resources(ctx: Context, cluster_id: str, wanted: Row) -> dict[str, Any]:
    """Take what is missing of the pools, all or nothing; what the cluster has already counts."""
    _take_missing(ctx, cluster_id, wanted["nodePools"])
    return since_now(ctx)


@allocate_resources.poll
def are_installed(
    ctx: Context, cluster_id: str, ref: Row, wanted: Row, slow_after: str = "45m"
) -> Again | dict[str, Any]:
    """Install the next few, and wait for all; the first that fails fails the step.

    A server that failed is the cluster's no longer: whoever resumes or retries the step gets another one.
    """
    _take_missing(ctx, cluster_id, wanted["nodePools"])
    found = ctx.db.read(lambda tx: _with_runs(tx, allocations.held_by(tx, cluster_id), "provision_run"))
    for row, run in found:
        if run is not None and run["status"] in ("failed", "cancelled"):
            ctx.db.write(lambda tx, row=row: _end(tx, row))  # type: ignore[misc]
            raise _not_installed(row, run)
    missing = [row for row, run in found if run is None and not _stands(ctx, row)]
    active = [row for row, run in found if run is not None and run["completed_at"] is None]
    if not missing and not active:
        return {}
    for row in missing[: max(0, AT_ONCE - len(active))]:
        _install(ctx, row)
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
def release_surplus(ctx: Context, cluster_id: str, wanted: Row) -> dict[str, Any]:
    """Give back the servers that the cluster is not built on any more."""

    def surplus(tx: Tx) -> list[str]:
        rows = allocations.held_by(tx, cluster_id)
        kept = {one["id"] for one in _kept(rows, wanted["nodePools"])}
        return [one["id"] for one in rows if one["id"] not in kept]

    return since_now(ctx, allocations=ctx.db.read(surplus))


@release_surplus.poll
def surplus_is_released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str = "30m"
) -> Again | dict[str, Any]:
    """All of them, a few at a time."""
    return _released(ctx, cluster_id, ref, slow_after, set(ref["allocations"]))


@operation(timeout="2h", usual="2m", every=POLLS, retry=PATIENT)
def release_resources(ctx: Context, cluster_id: str) -> dict[str, Any]:
    """Give back every server; the cluster that was built on them is gone."""
    return since_now(ctx)


@release_resources.poll
def all_are_released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str = "30m"
) -> Again | dict[str, Any]:
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
        found = servers.read_pool(tx, pool["poolId"], lock=True)
        has = [one for one in allocations.held_by(tx, cluster_id) if one["pool_id"] == pool["poolId"]]
        missing = max(0, int(pool["count"]) - len(has))
        free = servers.free_in_pool(tx, pool["poolId"], missing) if found and missing else []
        if len(free) < missing:
            raise PoolEmpty(
                f"Not enough available servers in pool {found['name'] if found else pool['poolId']}: "
                f"{missing} wanted, {len(free)} free",
                wanted=missing,
                free=len(free),
            )
        for server in free:
            address = _address(pool.get("address") or "{displayName}", server)
            allocations.allocate(tx, cluster_id, ctx.run_id, server, pool["image"], address)
            servers.change_server(tx, server["id"], {"reserved_by": cluster_id})
            taken.append(server["id"])
    return taken


def _address(pattern: str, server: Mapping[str, Any]) -> str:
    """What the cluster calls a server: its names put into the pattern that the request gave."""
    names = {"id": server["id"], "serial": server["serial"], "bootMac": server["boot_mac"]}
    names["displayName"] = server["display_name"] or server["id"]
    for name, value in names.items():
        pattern = pattern.replace("{" + name + "}", str(value or ""))
    return pattern


def _stands(ctx: Context, row: Row) -> bool:
    """Whether a server was installed by a run that is deleted by now, as runs are that ended long ago.

    A run that is not there may also be one that never began, so the server's own state decides.
    """
    server = ctx.db.read(lambda tx: servers.read_server(tx, row["server_id"]))
    return row["provision_run"] is not None and server is not None and server["state"] in INSTALLED


def _install(ctx: Context, row: Row) -> None:
    run_id = derived_id("run", row["id"], "install")
    ctx.db.write(lambda tx: allocations.change_allocation(tx, row["id"], {"provision_run": run_id}))
    ctx.capabilities.children.start(
        ctx.run_id, run_id, "server.provision", row["server_id"], {"image": row["image"]}
    )
    ctx.log("installation started", server=row["server_id"], run=run_id)


def _not_installed(row: Row, run: RunRow) -> NotInstalled:
    why = run["error_message"] or "it was cancelled"
    error = NotInstalled(f"server {row['server_id']}: {why}", run=run["id"], server=row["server_id"])
    error.code = run["error_code"] or "STEP_FAILED"  # type: ignore[misc]
    return error


def _released(
    ctx: Context, cluster_id: str, ref: Row, slow_after: str, chosen: set[str] | None
) -> Again | dict[str, Any]:
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
        told = _leave_one(ctx, row)
        if told is not None:
            waits_for.append(told)
    return waits_for


def _leave_one(ctx: Context, row: Row) -> str | None:
    server_id = row["server_id"]
    installing = _run(ctx, row["provision_run"])
    if installing is not None and installing["completed_at"] is None:
        ctx.capabilities.children.cancel(installing["id"], f"{ctx.run_id} gives the server back")
        return f"the installation of {server_id} is being undone"
    server = ctx.db.read(lambda tx: servers.read_server(tx, server_id))
    installed = row["provision_run"] if installing is None else installing["status"] == "completed"
    if row["release_run"] or (installed and server is not None and server["state"] in INSTALLED):
        releasing = _run(ctx, row["release_run"])
        if releasing is None:
            _wipe(ctx, row)
        if releasing is None or releasing["completed_at"] is None:
            return f"server {server_id} is being given back"
    ctx.db.write(lambda tx: _end(tx, row))
    return None


def _wipe(ctx: Context, row: Row) -> None:
    run_id = derived_id("run", row["id"], "give back")
    ctx.db.write(lambda tx: allocations.change_allocation(tx, row["id"], {"release_run": run_id}))
    given = {"action": "deprovision"}
    ctx.capabilities.children.start(ctx.run_id, run_id, "server.lifecycle", row["server_id"], given)
    ctx.log("giving back", server=row["server_id"], run=run_id)


def _end(tx: Tx, row: Row) -> None:
    """The cluster has the server no longer; whatever state that is in, it is free of this cluster."""
    allocations.change_allocation(tx, row["id"], {"released_at": tx.now})
    server = servers.read_server(tx, row["server_id"], lock=True)
    if server is not None and server["reserved_by"] == row["cluster_id"]:
        servers.change_server(tx, row["server_id"], {"reserved_by": None})


def _taken_by(tx: Tx, ctx: Context, cluster_id: str) -> list[Row]:
    return [row for row in allocations.held_by(tx, cluster_id) if ours(tx, ctx, row["run_id"])]


def _with_runs(tx: Tx, rows: list[Row], column: str) -> list[tuple[Row, RunRow | None]]:
    return [(row, runs.read_run(tx, row[column]) if row[column] else None) for row in rows]


def _run(ctx: Context, run_id: str | None) -> RunRow | None:
    return None if run_id is None else ctx.db.read(lambda tx: runs.read_run(tx, run_id))
