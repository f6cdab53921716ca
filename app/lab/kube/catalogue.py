"""What a management cluster has before anybody asks for a cluster: templates, upgrade paths, a credential."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.lab.kube.store import Object

NAMESPACE = "kcm-system"
CREDENTIAL = "lab-credential"

_BOTH = {"controlPlaneNumber": 1, "workersNumber": 2}
_WORKERS = {"workersNumber": 2}
_MACHINES = {"controlPlaneNumber": 1, "machines": []}

# Name, version of Kubernetes, providers of infrastructure, default values.
TEMPLATES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("openstack-standalone-cp-1-0-14", "v1.31.8+k0s.0", "openstack", _BOTH),
    ("openstack-standalone-cp-1-0-16", "v1.32.4+k0s.0", "openstack", _BOTH),
    ("openstack-standalone-cp-1-0-17", "v1.33.1+k0s.0", "openstack", _BOTH),
    ("openstack-hosted-cp-1-0-14", "v1.32.4+k0s.0", "openstack", _WORKERS),
    ("kubevirt-standalone-cp-1-0-2", "v1.32.4+k0s.0", "kubevirt", _BOTH),
    ("remote-cluster-1-0-12", "v1.31.8+k0s.0", "k0sproject-k0smotron", _MACHINES),
    ("remote-cluster-1-0-15", "v1.32.4+k0s.0", "k0sproject-k0smotron", _MACHINES),
    ("adopted-cluster-1-0-1", "v1.32.4+k0s.0", "internal", {}),
)
# From one template to the others.
UPGRADES = {
    "openstack-standalone-cp-1-0-14": ["openstack-standalone-cp-1-0-16"],
    "openstack-standalone-cp-1-0-16": ["openstack-standalone-cp-1-0-17"],
    "remote-cluster-1-0-12": ["remote-cluster-1-0-15"],
}


def objects() -> Iterator[tuple[str, Object]]:
    """Plural and object, each with its status."""
    for name, version, provider, values in TEMPLATES:
        yield "clustertemplates", template(name, version, provider, values)
    supported = [
        {"name": name, "availableUpgrades": [{"name": other} for other in UPGRADES.get(name, ())]}
        for name, *_ in TEMPLATES
    ]
    chain = {
        "metadata": {"name": "lab"},
        "spec": {"supportedTemplates": supported},
        "status": {"valid": True},
    }
    yield "clustertemplatechains", chain
    secret = {"apiVersion": "v1", "kind": "Secret", "name": CREDENTIAL, "namespace": NAMESPACE}
    yield (
        "credentials",
        {
            "metadata": {"name": CREDENTIAL},
            "spec": {"identityRef": secret, "description": "Opens nothing outside of the lab"},
            "status": {"ready": True},
        },
    )


def template(name: str, version: str, provider: str, values: Mapping[str, object]) -> Object:
    """A valid ClusterTemplate as its controller leaves it."""
    providers = [f"infrastructure-{provider}", "bootstrap-k0sproject-k0smotron"]
    chart = name.rpartition("-cp-")[0] or name.rpartition("-cluster-")[0] or name
    return {
        "metadata": {"name": name},
        "spec": {"helm": {"chartSpec": {"chart": chart, "version": name[-6:].strip("-").replace("-", ".")}}},
        "status": {
            "valid": True,
            "config": values,
            "k8sVersion": version,
            "providers": providers,
            "chartVersion": name[-6:].strip("-").replace("-", "."),
            "description": f"Clusters on {provider}",
        },
    }
