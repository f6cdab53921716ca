"""What is watched in a management cluster, and how an object of it is looked at."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain.observed import Observation
from app.domain.ownership import RESOURCE
from app.domain.text import legible
from app.providers.clusters import k0rdent
from app.providers.kube import Kube, Object
from app.providers.vms import kubevirt

OURS = {"labelSelector": RESOURCE}  # Only objects that stand for a resource of ours.


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One kind of resource: where its objects are, and what one of them tells."""

    noun: str
    path: Callable[[Mapping[str, Any]], str]  # Of the collection, given the management cluster.
    look: Callable[[Object], Observation]


def owner(content: Object) -> str:
    """The resource that an object stands for, also when nothing else of it can be read."""
    metadata = content.get("metadata") or {}
    return str((metadata.get("labels") or {}).get(RESOURCE))


def after_all(
    kube: Kube, management: Mapping[str, Any], watched: Watched, missing: Iterable[Mapping[str, Any]]
) -> list[Observation]:
    """Looks at the objects that are there although watches and lists by label do not have them any more.

    ``missing`` tells the id of each resource, and the name and uid of its object. Raises `KubeError` when it
    cannot be known.
    """
    looks = []
    for one in missing:
        found = kube.get(f"{watched.path(management)}/{one['name']}")
        if found is not None and found["metadata"]["uid"] == one["uid"]:
            ours = owner(found) == one["id"]
            looks.append(replace(watched.look(found), id=one["id"], labelled=ours))
    return looks


def selecting(ids: list[str]) -> dict[str, str]:
    """The query for the objects of some resources."""
    return {"labelSelector": f"{RESOURCE} in ({','.join(ids)})"}


def _cluster(content: Object) -> Observation:
    seen = k0rdent.seen(content)
    return Observation(
        id=str(seen.owner),
        name=seen.name,
        uid=seen.uid,
        version=seen.resource_version,
        facts=legible(seen.facts()),
    )


def _vm(content: Object) -> Observation:
    seen = kubevirt.seen(content)
    return Observation(
        id=str(seen.owner),
        name=seen.name,
        uid=seen.uid,
        version=seen.resource_version,
        facts=legible(seen.facts()),
        state=seen.state,
    )


WATCHED: Mapping[str, Watched] = {
    "cluster": Watched(
        noun="ClusterDeployment",
        path=lambda row: k0rdent.collection(row["cluster_namespace"]),
        look=_cluster,
    ),
    "vm": Watched(
        noun="VirtualMachine",
        path=lambda row: kubevirt.collection(row["machine_namespace"]),
        look=_vm,
    ),
}
