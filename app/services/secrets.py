"""Rotation of sealed credentials: a new key, and everything sealed anew while the service runs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from app.auth.rings import rotate as new_key
from app.auth.seal import Opener, Sealer, binding, opener, sealer
from app.record.inventory import accounts, managements, servers
from app.record.session import Tx
from app.services import signing_secrets
from app.services.context import AppContext

Row = dict[str, Any]
Keep = Callable[[Tx, str, int, str], bool]  # Of this id, at this version, the sealed text; False: it changed.


def rotate(world: AppContext) -> int:
    """Make a new sealing key and seal every credential anew; returns how many. Old keys still open."""
    new_key(world.settings)
    seal, open_ = sealer(world.settings), opener(world.settings)

    def reseal(row: Row, column: str, keep: Keep) -> int:
        if not seal.needs_reseal(row[column]):
            return 0
        version = row[f"{column}_version"]
        sealed = _again(row[column], seal, open_, tenant_id=world.db.tenant, id_=row["id"], version=version)
        return int(world.db.write(lambda tx: keep(tx, row["id"], version, sealed)))

    machines = world.db.read(servers.sealed_servers)
    clusters = world.db.read(managements.sealed_managements)
    count = sum(reseal(row, "credential", servers.reseal) for row in machines)
    count += sum(reseal(row, "access", managements.reseal) for row in clusters)
    for column in ("credential", "ssh_key"):
        keep = partial(_keep_of_account, column)
        rows = world.db.read(partial(accounts.sealed_accounts, column=column))
        count += sum(reseal(row, column, keep) for row in rows)
    return count + signing_secrets.reseal(world, seal, open_)


def _keep_of_account(column: str, tx: Tx, account_id: str, version: int, sealed: str) -> bool:
    return accounts.reseal(tx, account_id, version, column, sealed)


def _again(sealed: str, seal: Sealer, open_: Opener, *, tenant_id: str, id_: str, version: int) -> str:
    bound = binding(tenant_id=tenant_id, machine_id=id_, version=version)
    return seal.seal(open_.open(sealed, bound), bound)
