"""The clusters and machines of a test, through the official client and bare HTTPS."""

from collections.abc import Callable
from typing import Any

import httpx
from kubernetes import client

from app.lab.kube import Kube
from tests.support.servers import until

Object = dict[str, Any]

OLD, NEW, NEWEST = (f"openstack-standalone-cp-1-0-{number}" for number in (14, 16, 17))
CLUSTERS = ("k0rdent.mirantis.com", "v1beta1", "kcm-system", "clusterdeployments")
MACHINES = ("kubevirt.io", "v1", "default", "virtualmachines")
INSTANCES = ("kubevirt.io", "v1", "default", "virtualmachineinstances")


def deployment(name: str = "c", template: str = OLD, config: Object | None = None, **spec: Any) -> Object:
    """A ClusterDeployment; without a config it has none."""
    values = {} if config is None else {"config": config}
    return {
        "metadata": {"name": name},
        "spec": {"template": template, "credential": "lab-credential"} | values | spec,
    }


def machine(name: str = "m", strategy: str = "Manual", **spec: Any) -> Object:
    """A VirtualMachine."""
    inside: Object = {"domain": {"devices": {}}}
    return {
        "metadata": {"name": name},
        "spec": {"runStrategy": strategy, "template": {"spec": inside}} | spec,
    }


class Place:
    """The objects of one kind, in one namespace of the lab's cluster."""

    def __init__(self, api: client.ApiClient, place: tuple[str, str, str, str]) -> None:
        self._objects: Any = client.CustomObjectsApi(api)
        self._place = place

    def create(self, body: Object) -> Object:
        made: Object = self._objects.create_namespaced_custom_object(*self._place, body)
        return made

    def get(self, name: str) -> Object:
        found: Object = self._objects.get_namespaced_custom_object(*self._place, name)
        return found

    def patch(self, name: str, body: Object) -> Object:
        found: Object = self._objects.patch_namespaced_custom_object(*self._place, name, body)
        return found

    def set_status(self, name: str, status: Object) -> None:
        self._objects.patch_namespaced_custom_object_status(*self._place, name, {"status": status})

    def delete(self, name: str) -> None:
        self._objects.delete_namespaced_custom_object(*self._place, name)

    def names(self, **query: Any) -> list[str]:
        found = self._objects.list_namespaced_custom_object(*self._place, **query)
        return [one["metadata"]["name"] for one in found["items"]]

    def status(self, name: str) -> Object:
        found: Object = self.get(name).get("status", {})
        return found

    def condition(self, name: str, type_: str) -> Object:
        """One condition, empty while it is not there."""
        conditions = self.status(name).get("conditions", [])
        return next((one for one in conditions if one["type"] == type_), {})

    def until(self, name: str, holds: Callable[[Object], Any], why: str) -> Object:
        """The object once something holds of it."""
        found: list[Object] = []

        def look() -> bool:
            found[:] = [self.get(name)]
            return bool(holds(found[0]))

        until(look, why=why)
        return found[0]

    def until_ready(self, name: str = "c") -> Object:
        """The cluster once it says that its present generation is ready."""

        def ready(content: Object) -> bool:
            told = [one for one in content.get("status", {}).get("conditions", []) if one["type"] == "Ready"]
            generation = content["metadata"]["generation"]
            return bool(told and (told[0]["status"], told[0]["observedGeneration"]) == ("True", generation))

        return self.until(name, ready, "it is ready")

    def until_shown(self, printable: str, name: str = "m") -> Object:
        """The machine once its status is this word."""
        return self.until(
            name, lambda content: content.get("status", {}).get("printableStatus") == printable, printable
        )

    def until_gone(self, name: str) -> None:
        until(lambda: name not in self.names(), why="it is gone")


def call(
    kube: Kube, action: str, name: str = "m", plural: str = "virtualmachines", **body: Any
) -> tuple[int, str]:
    """Call a subresource: the status and the message."""
    path = f"/apis/subresources.kubevirt.io/v1/namespaces/default/{plural}/{name}/{action}"
    headers = {"Authorization": f"Bearer {kube.token}"}
    answer = httpx.put(
        f"{kube.server().url}{path}", json=body, headers=headers, verify=False, trust_env=False
    )
    return answer.status_code, answer.json()["message"] if answer.content else ""
