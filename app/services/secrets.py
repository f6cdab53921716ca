"""Rotation of sealed credentials: a new key, and everything sealed anew while the service runs."""

from app.auth.rings import rotate as new_key
from app.auth.seal import Opener, Sealer, binding, opener, sealer
from app.record import clusters, servers
from app.services import signing_secrets
from app.services.world import World


def rotate(world: World) -> int:
    """Make a new sealing key and seal every credential anew; returns how many. Old keys still open."""
    new_key(world.settings)
    seal, open_ = sealer(world.settings), opener(world.settings)
    count = 0
    for row in world.db.read(servers.sealed_servers):
        if not seal.needs_reseal(row["credential"]):
            continue
        bound = binding(tenant_id=world.db.tenant, machine_id=row["id"], version=row["credential_version"])
        sealed = seal.seal(open_.open(row["credential"], bound), bound)
        count += world.db.write(
            lambda tx, row=row, sealed=sealed: servers.reseal(
                tx, row["id"], row["credential_version"], sealed
            )  # type: ignore[misc]
        )
    return count + _managements(world, seal, open_) + signing_secrets.reseal(world, seal, open_)


def _managements(world: World, seal: Sealer, open_: Opener) -> int:
    count = 0
    for row in world.db.read(clusters.sealed_managements):
        if not seal.needs_reseal(row["access"]):
            continue
        bound = binding(tenant_id=world.db.tenant, machine_id=row["id"], version=row["access_version"])
        sealed = seal.seal(open_.open(row["access"], bound), bound)
        count += world.db.write(
            lambda tx, row=row, sealed=sealed: clusters.reseal(tx, row["id"], row["access_version"], sealed)  # type: ignore[misc]
        )
    return count
