"""A life of each type, in data: where it begins, what breaks it, what is true when it has ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.record.inventory import servers
from tests.support.managed import IMAGE
from tests.support.wired import REMOTE, REMOTE_NEXT, Wired

Facts = Mapping[str, Any]
OLD, NEW = "v1.31.8+k0s.0", "v1.32.4+k0s.0"  # The Kubernetes of the two templates.
NO_CAPACITY, NO_VOLUME = {"fail": "no capacity left"}, {"fail": "ErrorPvcNotFound"}


@dataclass(frozen=True, kw_only=True)
class Story:
    """One type, from a resource that it may begin on."""

    begin: Callable[[Wired], str]  # Brings a resource to where the type takes it over; its id.
    facts: Callable[[Wired, str], Facts]  # What is true of it, for whoever looks from outside.
    at: str  # The step at which it is broken, or kept waiting.
    breaks: Callable[[Wired, str], None]  # From then on the step fails for good.
    delays: Callable[[Wired, str], None]  # From then on the step waits for ever.
    mends: Callable[[Wired, str], None]
    undone: tuple[str, ...]  # What compensation undoes, the last step first.
    well: Facts
    failed: Facts
    cancelled: Facts
    given: Mapping[str, Any] = field(default_factory=dict)
    gives_up: bool = False  # What breaks it shows only when its time is over.


def _behaves(**behaviour: Any) -> Callable[[Wired, str], None]:
    return lambda scene, resource_id: scene.treats(resource_id, **behaviour)


def _suffers(fault: Any) -> Callable[[Wired, str], None]:
    return lambda scene, server_id: scene.bmcs[server_id].faults.add(fault)


def _recovers(scene: Wired, server_id: str) -> None:
    scene.bmcs[server_id].faults.clear()


# Clusters, on two servers of a pool of three --------------------------------------------------------------


def _new_cluster(scene: Wired) -> str:
    return scene.plant_cluster_on_servers(2, of=3)


def _cluster(scene: Wired) -> str:
    cluster_id = _new_cluster(scene)
    assert scene.driver.status(scene.ran("cluster.create", cluster_id)) == "completed"
    return cluster_id


def _cluster_facts(scene: Wired, cluster_id: str) -> Facts:
    row, name = scene.cluster(cluster_id), scene.name_of(cluster_id)
    spec = scene.object("clusterdeployments", name).get("spec") or {}
    nodes = [scene.object(*one.split("/")) for one in scene.left(cluster_id) if one.startswith("machines/")]
    return {
        "state": row["state"],
        "effects": scene.effects(cluster_id),
        "nodes": [node["spec"]["version"] for node in nodes],
        "template": (spec.get("template"), row["template"]),
        "machines": len((spec.get("config") or {}).get("machines") or ()),
        "servers": (scene.allocated(cluster_id), scene.servers().count(("available", False))),
        "kubeconfig": row["access"] is not None,
    }


BUILT: Facts = {
    "state": "ready",
    "effects": ["create"],
    "nodes": [OLD] * 3,
    "template": (REMOTE, REMOTE),
    "machines": 2,
    "servers": (2, 1),
    "kubeconfig": True,
}
GONE: Facts = {
    "effects": ["create", "delete", "gone"],
    "nodes": [],
    "template": (None, REMOTE),
    "machines": 0,
    "servers": (0, 3),
    "kubeconfig": False,
}
LEAVING: Facts = {**BUILT, "state": "error", "effects": ["create", "delete"]}

# Virtual machines ------------------------------------------------------------------------------------------


def _new_vm(scene: Wired) -> str:
    return scene.plant_vm()


def _vm(scene: Wired) -> str:
    vm_id = _new_vm(scene)
    assert scene.driver.status(scene.ran("vm.create", vm_id)) == "completed"
    return vm_id


def _stopped_vm(scene: Wired) -> str:
    vm_id = _vm(scene)
    assert scene.driver.status(scene.ran("vm.power", vm_id, {"action": "stop"})) == "completed"
    return vm_id


def _vm_facts(scene: Wired, vm_id: str) -> Facts:
    return {
        "state": scene.vm(vm_id)["state"],
        "effects": scene.effects(vm_id),
        "left": len(scene.left(vm_id)),
    }


RUNS: Facts = {"state": "running", "effects": ["create", "start"], "left": 2}
SWITCHED = ["create", "start", "stop", "start"]

# Servers, in memory ----------------------------------------------------------------------------------------


def _new_server(scene: Wired) -> str:
    (server_id,) = _pool_of_one(scene)
    changes = {"state": "registering", "pool_id": None}
    scene.db.write(lambda tx: servers.change_server(tx, server_id, changes))
    return server_id


def _server(scene: Wired) -> str:
    (server_id,) = _pool_of_one(scene)
    return server_id


def _installed_server(scene: Wired) -> str:
    server_id = _server(scene)
    run_id = scene.ran("server.provision", server_id, {"image": IMAGE})
    assert scene.driver.status(run_id) == "completed"
    return server_id


def _pool_of_one(scene: Wired) -> list[str]:
    scene.plant_pool(1)
    return list(scene.bmcs)


def _server_facts(scene: Wired, server_id: str) -> Facts:
    row = scene.server(server_id)
    return {
        "state": row["state"],
        "taken": row["reserved_by"] is not None,
        "power": scene.bmcs[server_id].power,
        "boot": scene.bmcs[server_id].boot[0],
    }


def _never_calls(scene: Wired, server_id: str) -> None:
    scene.boot.broken.add(f"{server_id}:623")


def _calls(scene: Wired, _server_id: str) -> None:
    scene.boot.broken.clear()


FREE: Facts = {"state": "available", "taken": False, "power": "off", "boot": "default"}
BROKEN: Facts = {**FREE, "state": "error"}
INSTALLED: Facts = {"state": "provisioned", "taken": True, "power": "on", "boot": "network"}

_ON_A_CLUSTER: Mapping[str, Any] = {
    "facts": _cluster_facts,
    "breaks": _behaves(**NO_CAPACITY),
    "delays": _behaves(never=True),
    "mends": _behaves(),
    "at": "wait-ready",
}
_ON_A_VM: Mapping[str, Any] = {
    "facts": _vm_facts,
    "breaks": _behaves(**NO_VOLUME),
    "delays": _behaves(never=True),
    "mends": _behaves(),
}
_UNTIL_GONE: Mapping[str, Any] = {
    "at": "wait-deleted",
    "breaks": _behaves(stuck=True),
    "delays": _behaves(stuck=True),
    "gives_up": True,
    "undone": ("validate",),  # A deletion is not taken back.
}
_ON_A_SERVER: Mapping[str, Any] = {
    "facts": _server_facts,
    "breaks": _suffers("wrongPassword"),
    "delays": _suffers("dead"),
    "mends": _recovers,
    "undone": ("validate",),
}

STORIES: Mapping[str, Story] = {
    "server.register": Story(
        **{**_ON_A_SERVER, "at": "connect-bmc", "begin": _new_server},
        well={**FREE, "state": "registered"},
        failed=BROKEN,
        cancelled=BROKEN,
    ),
    "server.inspect": Story(
        **{**_ON_A_SERVER, "at": "read-hardware", "begin": _server}, well=FREE, failed=BROKEN, cancelled=FREE
    ),
    "server.provision": Story(
        begin=_server,
        facts=_server_facts,
        given={"image": IMAGE},
        at="install",
        breaks=_never_calls,
        delays=_never_calls,
        mends=_calls,
        gives_up=True,
        undone=("power-2", "order-image", "power", "boot-from", "reserve", "validate"),
        well=INSTALLED,
        failed=BROKEN,
        cancelled=FREE,
    ),
    "server.lifecycle": Story(
        **{**_ON_A_SERVER, "at": "boot-from", "begin": _installed_server},
        given={"action": "deprovision"},
        well=FREE,
        failed={**INSTALLED, "state": "error"},
        cancelled=INSTALLED,
    ),
    "server.decommission": Story(
        **{**_ON_A_SERVER, "at": "drain", "begin": _server},
        well={**FREE, "state": "decommissioned"},
        failed=BROKEN,
        cancelled=FREE,
    ),
    "cluster.create": Story(
        **_ON_A_CLUSTER,
        begin=_new_cluster,
        undone=("apply-deployment", "allocate-resources", "validate"),
        well=BUILT,
        failed={**GONE, "state": "error"},
        cancelled={**GONE, "state": "error"},
    ),
    "cluster.scale": Story(
        **_ON_A_CLUSTER,
        begin=_cluster,
        given={"workers": 3},
        undone=("patch-config", "allocate-resources", "validate"),
        well={**BUILT, "nodes": [OLD] * 4, "machines": 3, "servers": (3, 0)},
        failed={**BUILT, "state": "error"},
        cancelled=BUILT,
    ),
    "cluster.upgrade": Story(
        **_ON_A_CLUSTER,
        begin=_cluster,
        given={"template": REMOTE_NEXT},
        undone=("patch-template", "validate"),
        well={**BUILT, "nodes": [NEW] * 3, "template": (REMOTE_NEXT, REMOTE_NEXT)},
        # k0rdent offers no way back from here, so what it became is what it stays.
        failed={**BUILT, "state": "error", "template": (REMOTE_NEXT, REMOTE_NEXT)},
        cancelled={**BUILT, "state": "error", "template": (REMOTE_NEXT, REMOTE_NEXT)},
    ),
    "cluster.delete": Story(
        **{**_ON_A_CLUSTER, **_UNTIL_GONE, "begin": _cluster},
        well={**GONE, "state": "deleted"},
        failed=LEAVING,
        cancelled=LEAVING,
    ),
    "vm.create": Story(
        **_ON_A_VM,
        at="wait-running",
        begin=_new_vm,
        undone=("create-vm", "validate"),
        well=RUNS,
        failed={"state": "error", "effects": ["create", "start", "delete", "gone"], "left": 0},
        cancelled={"state": "error", "effects": ["create", "start", "delete", "gone"], "left": 0},
    ),
    "vm.power": Story(
        **_ON_A_VM,
        at="wait-state",
        begin=_stopped_vm,
        given={"action": "start"},
        undone=("validate",),  # Going back is the caller's wish.
        well={**RUNS, "effects": SWITCHED},
        failed={"state": "error", "effects": SWITCHED, "left": 2},
        cancelled={"state": "stopped", "effects": SWITCHED, "left": 2},
    ),
    "vm.delete": Story(
        **{**_ON_A_VM, **_UNTIL_GONE, "begin": _vm},
        well={"state": "deleted", "effects": ["create", "start", "stop", "delete", "gone"], "left": 0},
        failed={"state": "error", "effects": ["create", "start", "stop", "delete"], "left": 2},
        cancelled={"state": "error", "effects": ["create", "start", "stop", "delete"], "left": 2},
    ),
}


def broken(scene: Wired, name: str, on_failure: str) -> tuple[str, str]:
    """A resource and a run on it that has failed, and is undone or held."""
    story = STORIES[name]
    resource_id = story.begin(scene)
    story.breaks(scene, resource_id)
    run_id = scene.start(name, resource_id, story.given, on_failure=on_failure)
    if story.gives_up:
        scene.hangs(run_id, story.at)
        scene.driver.fire(run_id, "deadline")
    scene.finish(run_id)
    return resource_id, run_id
