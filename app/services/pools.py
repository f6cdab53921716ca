"""Pools: named sets of servers that requests take free machines from."""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain.errors import Conflict, NotFound, PreconditionFailed
from app.record.inventory import servers
from app.record.session import Tx
from app.services import audit
from app.services.context import AppContext

Row = dict[str, Any]


def create(world: AppContext, principal: Principal, values: Mapping[str, Any]) -> Row:
    """Make a pool; its name must be free."""

    def work(tx: Tx) -> Row:
        _check_name(tx, values["name"], None)
        made = _known(tx, servers.insert_pool(tx, values["name"], values.get("labels") or {}))
        audit.note(tx, principal, "pool.create", made["id"], after=made)
        return made

    return world.db.write(work)


def change(
    world: AppContext,
    principal: Principal,
    pool_id: str,
    changes: Mapping[str, Any],
    version: int | None = None,
) -> Row:
    """Change a pool's name or labels; with a version only when nobody else did meanwhile."""

    def work(tx: Tx) -> Row:
        row = _known(tx, pool_id, lock=True)
        if version is not None and version != row["version"]:
            raise PreconditionFailed(
                f"Pool {pool_id} is at version {row['version']} now", version=row["version"]
            )
        if "name" in changes:
            _check_name(tx, changes["name"], pool_id)
        servers.change_pool(
            tx, pool_id, {name: changes[name] for name in ("name", "labels") if name in changes}
        )
        changed = _known(tx, pool_id)
        audit.note(tx, principal, "pool.change", pool_id, before=row, after=changed)
        return changed

    return world.db.write(work)


def delete(world: AppContext, principal: Principal, pool_id: str) -> None:
    """Remove a pool that has no servers."""

    def work(tx: Tx) -> None:
        row = _known(tx, pool_id, lock=True)
        if row["total"]:
            raise Conflict(
                f"Pool {row['name']} has {row['total']} servers: move them first", servers=row["total"]
            )
        servers.delete_pool(tx, pool_id)
        audit.note(tx, principal, "pool.delete", pool_id, before=row)

    world.db.write(work)


def _known(tx: Tx, pool_id: str, *, lock: bool = False) -> Row:
    row = servers.read_pool(tx, pool_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no pool {pool_id}")
    return row


def _check_name(tx: Tx, name: str, own: str | None) -> None:
    taken = servers.pool_named(tx, name)
    if taken not in (None, own):
        raise Conflict(f"Pool {taken} is called {name!r} already", pool=taken)
