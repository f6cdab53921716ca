"""Clusters by k0rdent: ClusterDeployment, ClusterTemplate and Credential of ``k0rdent.mirantis.com``."""

from collections.abc import Mapping
from typing import Any

from app.domain.ownership import RESOURCE
from app.providers.clusters.values import Condition, Deployment, Template, Wish
from app.providers.kube import Kube, Object

GROUP = "k0rdent.mirantis.com"
VERSION = "v1beta1"


class K0rdent:
    """See `app.providers.clusters.Clusters`."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    def template(self, name: str) -> Template | None:
        found = self._kube.get(self._path("clustertemplates", name))
        if found is None:
            return None
        spec, status = found.get("spec") or {}, found.get("status") or {}
        parameters = status.get("config")
        return Template(
            name=name,
            valid=bool(status.get("valid")),
            problem=str(status.get("validationError") or ""),
            kubernetes_version=status.get("k8sVersion") or spec.get("k8sVersion"),
            parameters=parameters if isinstance(parameters, dict) else {},
        )

    def credential_ready(self, name: str) -> bool | None:
        found = self._kube.get(self._path("credentials", name))
        return None if found is None else bool((found.get("status") or {}).get("ready"))

    def find(self, name: str) -> Deployment | None:
        found = self._kube.get(self._path("clusterdeployments", name))
        return None if found is None else seen(found)

    def apply(self, wish: Wish) -> Deployment:
        path, content = self._path("clusterdeployments", wish.name), self._content(wish)
        return seen(self._kube.apply(path, content, force=wish.uid is not None))

    def delete(self, name: str, uid: str | None = None) -> bool:
        return self._kube.delete(self._path("clusterdeployments", name), uid)

    def access(self, name: str) -> dict[str, str] | None:
        secret = f"{name}-kubeconfig"
        found = self._kube.get(f"/api/v1/namespaces/{self._namespace}/secrets/{secret}")
        return None if found is None else {"namespace": self._namespace, "secret": secret, "key": "value"}

    def _content(self, wish: Wish) -> Object:
        metadata: Object = {"name": wish.name, "namespace": self._namespace}
        metadata |= {"labels": dict(wish.labels), "annotations": dict(wish.annotations)}
        if wish.uid is not None:
            metadata["uid"] = wish.uid
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ClusterDeployment",
            "metadata": metadata,
            "spec": {
                "template": wish.template,
                "credential": wish.credential,
                "config": dict(wish.config),
                "dryRun": wish.dry_run,
                "cleanupOnDeletion": wish.cleanup_on_deletion,
            },
        }

    def _path(self, plural: str, name: str) -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self._namespace}/{plural}/{name}"


def collection(namespace: str) -> str:
    """The path of all deployments, for lists and watches."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/clusterdeployments"


def seen(content: Mapping[str, Any]) -> Deployment:
    """A ClusterDeployment as an API server sends it."""
    metadata, spec = content["metadata"], content.get("spec") or {}
    status = content.get("status") or {}
    return Deployment(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owner=(metadata.get("labels") or {}).get(RESOURCE),
        template=str(spec.get("template") or ""),
        credential=spec.get("credential"),
        config=spec.get("config") or {},
        dry_run=bool(spec.get("dryRun")),
        generation=int(metadata.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        conditions=tuple(_condition(one) for one in status.get("conditions") or ()),
        available_upgrades=tuple(status.get("availableUpgrades") or ()),
        kubernetes_version=status.get("k8sVersion"),
    )


def _condition(told: Mapping[str, Any]) -> Condition:
    return Condition(
        type=str(told.get("type")),
        status=str(told.get("status")),
        reason=str(told.get("reason") or ""),
        message=str(told.get("message") or ""),
        generation=told.get("observedGeneration"),
    )
