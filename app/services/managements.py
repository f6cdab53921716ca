"""Management clusters: where clusters and virtual machines are made, and how to get into them."""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.auth.seal import binding
from app.domain.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from app.domain.ids import new_id
from app.providers.kubeconfig import cleaned
from app.record.inventory import managements as record
from app.record.inventory.managed import clusters, vms
from app.record.session import Tx
from app.services.context import AppContext

Row = dict[str, Any]
CHANGEABLE = ("name", "description", "cluster_namespace", "machine_namespace")


def create(world: AppContext, principal: Principal, values: Mapping[str, Any]) -> Row:
    """Know one more; its kubeconfig is cleaned and sealed at once."""
    management_id = new_id("mgt")
    said = {name: values.get(name) for name in CHANGEABLE}
    row = {
        "id": management_id,
        **said,
        "version": 1,
        **_access(world, management_id, 1, values["kubeconfig"]),
    }

    def work(tx: Tx) -> Row:
        _check_name(tx, values["name"], None)
        record.insert_management(tx, row)
        return _known(tx, management_id)

    return world.db.write(work)


def change(
    world: AppContext,
    principal: Principal,
    management_id: str,
    changes: Mapping[str, Any],
    version: int | None,
) -> Row:
    """Change names and namespaces; with a version only when nobody else did meanwhile."""

    def work(tx: Tx) -> Row:
        row = _known(tx, management_id)
        if version not in (None, row["version"]):
            raise PreconditionFailed(
                f"{management_id} is at version {row['version']} now", version=row["version"]
            )
        if "name" in changes:
            _check_name(tx, changes["name"], management_id)
        record.change_management(
            tx, management_id, {name: changes[name] for name in CHANGEABLE if name in changes}
        )
        return _known(tx, management_id)

    return world.db.write(work)


def set_kubeconfig(world: AppContext, principal: Principal, management_id: str, kubeconfig: str) -> None:
    """Seal another kubeconfig; runs that are under way use it from their next attempt on."""

    def work(tx: Tx) -> None:
        version = _known(tx, management_id)["access_version"] + 1
        record.change_management(tx, management_id, _access(world, management_id, version, kubeconfig))

    world.db.write(work)


def delete(world: AppContext, principal: Principal, management_id: str) -> None:
    """Forget one that has neither clusters nor machines."""

    def work(tx: Tx) -> None:
        _known(tx, management_id)
        left = clusters.count(tx, management_id) + vms.count(tx, management_id)
        if left:
            raise Conflict(f"{management_id} has {left} clusters and machines: delete them first", left=left)
        record.delete_management(tx, management_id)

    world.db.write(work)


def meant(tx: Tx, management_id: str | None) -> str:
    """The management cluster that a request means: the one it names, or the only one there is."""
    if management_id is None:
        only = record.only_management(tx)
        if only is None:
            raise ValidationFailed.of("managementId", "name one: there is not exactly one management cluster")
        return only
    if record.read_management(tx, management_id) is None:
        raise ValidationFailed.of("managementId", f"there is no management cluster {management_id}")
    return management_id


def _access(world: AppContext, management_id: str, version: int, kubeconfig: str) -> Row:
    access = cleaned(kubeconfig)
    bound = binding(tenant_id=world.db.tenant, machine_id=management_id, version=version)
    return {
        "server": access["server"],
        "access": world.sealer.seal(access, bound),
        "access_version": version,
    }


def _known(tx: Tx, management_id: str) -> Row:
    row = record.read_management(tx, management_id, lock=True)
    if row is None:
        raise NotFound(f"there is no management cluster {management_id}")
    return row


def _check_name(tx: Tx, name: str, own: str | None) -> None:
    taken = record.management_named(tx, name)
    if taken not in (None, own):
        raise Conflict(f"management cluster {taken} is called {name!r} already", management=taken)
