"""Commands about clusters, machines and management clusters ask the service for the right thing."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Standin, ok

CLUSTER = {"id": "cls_1", "name": "prod", "state": "creating"}
VM = {"id": "vm_1", "name": "web", "state": "creating"}
MADE = ["--template", "remote-cluster-1", "--credential", "lab"]


def test_a_cluster_is_ordered_with_its_parameters_and_servers(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", "/v1/clusters", ok(CLUSTER, 202))
    pools = ["--pool", "pool_1=2", "--image", "http://i/d.raw", "--address", "{serial}.lan"]

    windlass("cluster", "create", *MADE, "-c", '{"a": 1}', "-s", "workersNumber=3", *pools, "--tag", "x")

    assert service.asked[0].body == {
        "template": "remote-cluster-1",
        "credential": "lab",
        "config": {"a": 1, "workersNumber": 3},
        "nodePools": [
            {"poolId": "pool_1", "count": 2, "image": {"url": "http://i/d.raw"}, "address": "{serial}.lan"}
        ],
        "tags": ["x"],
    }


def test_a_dry_run_of_the_service_is_not_one_of_the_cluster(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", "/v1/clusters", ok({"type": "cluster.create", "steps": [], "locks": []}))

    windlass("cluster", "create", *MADE, "-s", "a=1", "--validate-only", "--dry-run")

    assert service.asked[0].query == {"dryRun": "true"}
    assert service.asked[0].body["dryRun"] is True


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["scale", "cls_1", "--workers", "3"], "scale", {"workers": 3}),
        (["scale", "cls_1", "--control-planes", "3"], "scale", {"controlPlanes": 3}),
        (["upgrade", "cls_1", "--template", "t2"], "upgrade", {"template": "t2"}),
        (["upgrade", "cls_1", "--kubernetes", "1.32"], "upgrade", {"kubernetesVersion": "1.32"}),
    ],
)
def test_an_action_on_a_cluster_has_a_path_of_its_own(
    service: Standin, windlass: Windlass, words: list[str], path: str, body: dict[str, object]
) -> None:
    service.answers("POST", f"/v1/clusters/cls_1/{path}", ok(CLUSTER, 202))

    windlass("cluster", *words, "--queue")

    assert (service.asked[0].body, service.asked[0].query) == (body, {"onConflict": "queue"})


@pytest.mark.parametrize(
    "words", [["scale", "cls_1"], ["upgrade", "cls_1"], ["create", *MADE, "--pool", "pool_1=1"]]
)
def test_what_says_too_little_is_refused_here(windlass: Windlass, words: list[str]) -> None:
    assert windlass("cluster", *words).exit_code == 2


def test_a_cluster_is_deleted_once_somebody_has_said_yes(service: Standin, windlass: Windlass) -> None:
    service.answers("DELETE", "/v1/clusters/cls_1", ok(CLUSTER, 202))

    assert windlass("cluster", "delete", "cls_1").exit_code == 2
    windlass("cluster", "delete", "cls_1", "--cleanup", "--yes")

    assert service.asked[0].query == {"cleanupOnDeletion": "true"}


def test_a_machine_is_ordered_with_its_disk_and_networks(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", "/v1/vms", ok(VM, 202))
    disk = ["--image", "docker://debian:12", "--network", "pod", "--network", "storage"]

    windlass("vm", "create", "--name", "web", "--cpus", "2", "--memory", "4096", *disk, "--user-data", "hi")

    assert service.asked[0].body == {
        "name": "web",
        "cpus": 2,
        "memoryMb": 4096,
        "disks": [{"source": "docker://debian:12", "boot": True}],
        "nics": [{"network": "pod"}, {"network": "storage"}],
        "instanceMetadata": [{"key": "user-data", "value": "hi"}],
    }


@pytest.mark.parametrize("action", ["start", "stop", "restart", "pause", "unpause"])
def test_a_machine_is_switched(service: Standin, windlass: Windlass, action: str) -> None:
    service.answers("POST", "/v1/vms/vm_1/actions", ok(VM, 202))

    windlass("vm", action, "vm_1")

    assert service.asked[0].body == {"action": action}


def test_only_what_can_be_forced_takes_force(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", "/v1/vms/vm_1/actions", ok(VM, 202))

    windlass("vm", "stop", "vm_1", "--force")

    assert service.asked[0].body == {"action": "stop", "force": True}
    assert windlass("vm", "pause", "vm_1", "--force").exit_code == 2


def test_a_kubeconfig_is_sent_from_its_file(service: Standin, windlass: Windlass, tmp_path: Path) -> None:
    service.answers("POST", "/v1/management-clusters", ok({"id": "mgt_1", "name": "fra"}, 201))
    (file := tmp_path / "config").write_text("apiVersion: v1")

    windlass("management", "add", "fra", "--kubeconfig", str(file), "--cluster-namespace", "kcm")

    assert service.asked[0].body == {
        "name": "fra",
        "kubeconfig": "apiVersion: v1",
        "clusterNamespace": "kcm",
    }


@pytest.mark.parametrize(("noun", "path"), [("cluster", "clusters"), ("vm", "vms")])
def test_lists_are_narrowed(service: Standin, windlass: Windlass, noun: str, path: str) -> None:
    service.answers("GET", f"/v1/{path}", ok([CLUSTER]))

    assert "prod" in windlass(noun, "list", "--state", "ready", "--management", "mgt_1").stdout
    assert service.asked[0].query == {"state": "ready", "managementId": "mgt_1", "limit": "100"}
