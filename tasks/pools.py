"""Servers of pools: taken for an owner, installed by a child run, and given back by a child run.

What an owner, a cluster or the instance of a batch, has is rows (``allocation``), so that every step can be
repeated: it looks at what is there and does what is missing. A server is spoken to by runs of its own alone,
under its own lock.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.domain.errors import StepError
from app.domain.ids import derived_id
from app.domain.rows.runs import RunRow
from app.record.inventory import allocations, servers
from app.record.runs import runs
from app.record.session import Tx
from tasks.context import Context

Row = dict[str, Any]
INSTALLED = ("provisioned", "error")  # States of a server from which it has to be given back.


class PoolEmpty(StepError):
    """Not enough available servers in the pool."""

    code = "POOL_CAPACITY_EXCEEDED"
    nothing_happened = True


def take(
    tx: Tx,
    ctx: Context,
    owner_id: str,
    pool_id: str,
    count: int,
    image: Mapping[str, Any],
    address: Callable[[Row], str | None] = lambda _server: None,
) -> list[Row]:
    """Let an owner have so many free servers of a pool, all or none; their allocations."""
    # The pool's lock, although rows of servers are passed over when somebody holds them: two that take at
    # once would each hold some of the servers that the other one is missing, and both would find too few.
    found = servers.read_pool(tx, pool_id, lock=True)
    free = servers.free_in_pool(tx, pool_id, count) if found else []
    if len(free) < count:
        raise PoolEmpty(
            f"Not enough available servers in pool {found['name'] if found else pool_id}: "
            f"{count} wanted, {len(free)} free",
            wanted=count,
            free=len(free),
        )
    taken = []
    for server in free:
        taken.append(allocations.allocate(tx, owner_id, ctx.run_id, server, image, address(server)))
        servers.change_server(tx, server["id"], {"reserved_by": owner_id})
    return taken


def stands(ctx: Context, row: Row) -> bool:
    """Whether a server was installed by a run that is deleted by now, as runs are that ended long ago.

    A run that is not there may also be one that never began, so the server's own state decides.
    """
    server = ctx.db.read(lambda tx: servers.read_server(tx, row["server_id"]))
    return row["provision_run"] is not None and server is not None and server["state"] in INSTALLED


def install(ctx: Context, row: Row) -> None:
    """Start the installation of a server; it starts once."""
    run_id = derived_id("run", row["id"], "install")
    # The name of the run before the run: a worker that dies in between leaves an allocation whose run is not
    # there, and the next poll starts it under the same id.
    ctx.db.write(lambda tx: allocations.change_allocation(tx, row["id"], {"provision_run": run_id}))
    given = {"image": row["image"]}
    ctx.capabilities.children.start(ctx.run_id, run_id, "server.provision", row["server_id"], given)
    ctx.log("installation started", server=row["server_id"], run=run_id)


def leave(ctx: Context, row: Row) -> str | None:
    """Bring a server nearer to where nobody has it; what is still to be waited for, None once it is free.

    An installation under way is undone, an installed server wiped.
    """
    server_id = row["server_id"]
    installing = run_of(ctx, row["provision_run"])
    if installing is not None and installing["completed_at"] is None:
        ctx.capabilities.children.cancel(installing["id"], f"{ctx.run_id} gives the server back")
        return f"the installation of {server_id} is being undone"
    server = ctx.db.read(lambda tx: servers.read_server(tx, server_id))
    installed = row["provision_run"] if installing is None else installing["status"] == "completed"
    if row["release_run"] or (installed and server is not None and server["state"] in INSTALLED):
        releasing = run_of(ctx, row["release_run"])
        if releasing is None:
            _wipe(ctx, row)
        if releasing is None or releasing["completed_at"] is None:
            return f"server {server_id} is being given back"
    ctx.db.write(lambda tx: end(tx, row))
    return None


def end(tx: Tx, row: Row) -> None:
    """The owner has the server no longer; whatever state that is in, it is free of this owner."""
    allocations.change_allocation(tx, row["id"], {"released_at": tx.now})
    server = servers.read_server(tx, row["server_id"], lock=True)
    # Somebody else may have taken the server since: a repeated step must not take it from him.
    if server is not None and server["reserved_by"] == row["owner_id"]:
        servers.change_server(tx, row["server_id"], {"reserved_by": None})


def run_of(ctx: Context, run_id: str | None) -> RunRow | None:
    """A run that was started for a server; None when there is none, or none any more."""
    return None if run_id is None else ctx.db.read(lambda tx: runs.read_run(tx, run_id))


def _wipe(ctx: Context, row: Row) -> None:
    run_id = derived_id("run", row["id"], "give back")
    # As with an installation: the name first, so that it is started once whatever happens in between.
    ctx.db.write(lambda tx: allocations.change_allocation(tx, row["id"], {"release_run": run_id}))
    given = {"action": "deprovision"}
    ctx.capabilities.children.start(ctx.run_id, run_id, "server.lifecycle", row["server_id"], given)
    ctx.log("giving back", server=row["server_id"], run=run_id)
