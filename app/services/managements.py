"""Management clusters: where clusters and virtual machines are made, and how to get into them."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import structlog

from app.auth.keys import Principal
from app.auth.seal import binding
from app.domain.errors import Conflict, NotFound, PreconditionFailed, StepError, ValidationFailed
from app.domain.ids import new_id
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.record.inventory import managements as record
from app.record.inventory.managed import clusters, vms
from app.record.inventory.observed import unlisted
from app.record.session import Tx
from app.services import audit
from app.services.context import AppContext
from tasks.watched import WATCHED

Row = dict[str, Any]
log = structlog.get_logger(__name__)
MOST_NAMED = 20  # Resources that a refusal names.
FORCE = "With force=true it is changed all the same, and whatever is not found there then counts as deleted"
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
        made = _known(tx, management_id)
        audit.note(tx, principal, "management.create", management_id, after=made)
        return made

    return world.db.write(work)


def change(
    world: AppContext,
    principal: Principal,
    management_id: str,
    changes: Mapping[str, Any],
    version: int | None,
    *,
    force: bool = False,
) -> Row:
    """Change names and namespaces; with a version only when nobody else did meanwhile.

    Where objects of ours live it changes by force alone: they cannot be moved, and what is looked for in
    another namespace would be taken for deleted.
    """

    def work(tx: Tx) -> Row:
        row = _known(tx, management_id)
        if version not in (None, row["version"]):
            raise PreconditionFailed(
                f"{management_id} is at version {row['version']} now", version=row["version"]
            )
        if "name" in changes:
            _check_name(tx, changes["name"], management_id)
        left = _left_behind(tx, row, changes)
        if left and not force:
            raise Conflict(f"{'; '.join(left)}. {FORCE}", left=left)
        if left:
            log.warning("management.forced", management=management_id, actor=principal.actor, why=left)
        record.change_management(
            tx, management_id, {name: changes[name] for name in CHANGEABLE if name in changes}
        )
        changed = _known(tx, management_id)
        audit.note(tx, principal, "management.change", management_id, before=row, after=changed)
        return changed

    return world.db.write(work)


def set_kubeconfig(
    world: AppContext, principal: Principal, management_id: str, kubeconfig: str, *, force: bool = False
) -> None:
    """Seal another kubeconfig; runs that are under way use it from their next attempt on.

    It must lead to where the objects of ours are: elsewhere they would be taken for deleted. Without a look,
    or when some are not found, it changes by force alone.
    """
    found, why = _found(world, management_id, cleaned(kubeconfig))

    def work(tx: Tx) -> None:
        before = _known(tx, management_id)
        version = before["access_version"] + 1
        missing = [id_ for ids in _objects(tx, management_id).values() for id_ in ids if id_ not in found]
        named = sorted(missing)[:MOST_NAMED]
        if missing and not force:
            told = f"{why or 'it does not lead to'} {len(missing)} of its clusters and machines"
            raise Conflict(f"{told}: {', '.join(named)}. {FORCE}", missing=named)
        if missing:
            log.warning("management.forced", management=management_id, actor=principal.actor, missing=named)
        record.change_management(tx, management_id, _access(world, management_id, version, kubeconfig))
        after = _known(tx, management_id)
        audit.note(tx, principal, "management.kubeconfig", management_id, before=before, after=after)

    world.db.write(work)


def delete(world: AppContext, principal: Principal, management_id: str) -> None:
    """Forget one that has neither clusters nor machines."""

    def work(tx: Tx) -> None:
        row = _known(tx, management_id)
        left = clusters.count(tx, management_id) + vms.count(tx, management_id)
        if left:
            raise Conflict(f"{management_id} has {left} clusters and machines: delete them first", left=left)
        record.delete_management(tx, management_id)
        audit.note(tx, principal, "management.delete", management_id, before=row)

    world.db.write(work)


def meant(tx: Tx, management_id: str | None) -> str:
    """The management cluster that a request means: the one it names, or the only one there is."""
    if management_id is None:
        only = record.only_management(tx)
        if only is None:
            raise ValidationFailed.of(
                "managementId", "Required, because there is not exactly one management cluster"
            )
        return only
    if record.read_management(tx, management_id) is None:
        raise ValidationFailed.of("managementId", f"There is no management cluster {management_id}")
    return management_id


def _access(world: AppContext, management_id: str, version: int, kubeconfig: str) -> Row:
    access = cleaned(kubeconfig)
    bound = binding(tenant_id=world.db.tenant, machine_id=management_id, version=version)
    return {
        "server": access["server"],
        "access": world.sealer.seal(access, bound),
        "access_version": version,
    }


def _left_behind(tx: Tx, row: Row, changes: Mapping[str, object]) -> list[str]:
    """What lives in a namespace that is to be another one."""
    told = []
    for column, kind, what in (
        ("cluster_namespace", clusters, "clusters"),
        ("machine_namespace", vms, "machines"),
    ):
        there = kind.count(tx, row["id"]) if changes.get(column, row[column]) != row[column] else 0
        if there:
            told.append(f"{there} {what} live in the namespace {row[column]} and cannot be moved")
    return told


def _objects(tx: Tx, management_id: str) -> dict[str, dict[str, str]]:
    """The objects that were seen in a management cluster: of each kind, resources and uids."""
    seen = {kind: unlisted(tx, kind, management_id, ()) for kind in WATCHED}
    return {kind: {row["id"]: row["uid"] for row in rows} for kind, rows in seen.items() if rows}


def _found(world: AppContext, management_id: str, access: Mapping[str, object]) -> tuple[set[str], str]:
    """The resources to whose objects an access leads, or why that cannot be seen."""
    row = world.db.read(lambda tx: record.read_management(tx, management_id))
    known = world.db.read(lambda tx: _objects(tx, management_id))
    found: set[str] = set()
    if row is None or not known:
        return found, ""
    try:
        with closing(Kube(access)) as kube:
            for kind, uids in known.items():
                there = {(one.get("metadata") or {}).get("uid") for one in kube.list(WATCHED[kind].path(row))}
                found |= {id_ for id_, uid in uids.items() if uid in there}
    except StepError as error:
        return found, f"{error.message}; so it cannot be seen whether it leads to"
    return found, ""


def _known(tx: Tx, management_id: str) -> Row:
    row = record.read_management(tx, management_id, lock=True)
    if row is None:
        raise NotFound(f"There is no management cluster {management_id}")
    return row


def _check_name(tx: Tx, name: str, own: str | None) -> None:
    taken = record.management_named(tx, name)
    if taken not in (None, own):
        raise Conflict(f"Management cluster {taken} is called {name!r} already", management=taken)
