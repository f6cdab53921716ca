"""The controller of ClusterDeployments, good and bad."""

import base64
from typing import Any

import pytest
import yaml
from kubernetes import client

from app.lab.kube import Behaviour, Kube
from tests.integration.kube_double.places import CLUSTERS, NEW, NEWEST, OLD, Place, deployment
from tests.integration.kube_double.widgets import refused
from tests.support.servers import until

SIZES = {"controlPlaneNumber": 1, "workersNumber": 2}
NODES = ("cluster.x-k8s.io", "v1beta1", "kcm-system", "machines")


@pytest.fixture
def clusters(api: client.ApiClient) -> Place:
    return Place(api, CLUSTERS)


@pytest.fixture
def nodes(api: client.ApiClient) -> Place:
    return Place(api, NODES)


@pytest.fixture(autouse=True)
def quick(kube: Kube) -> None:
    kube.server().clusters.behave(Behaviour(delay_ms=20, delete_ms=20))


def test_a_cluster_becomes_ready_with_nodes_and_a_kubeconfig(
    api: client.ApiClient, clusters: Place, nodes: Place
) -> None:
    clusters.create(deployment(config=SIZES))
    ready = clusters.until_ready()
    assert (ready["status"]["k8sVersion"], ready["status"]["availableUpgrades"]) == ("v1.31.8+k0s.0", [NEW])
    assert nodes.names(label_selector="cluster.x-k8s.io/cluster-name=c") == ["c-cp-0", "c-md-0", "c-md-1"]
    core: Any = client.CoreV1Api(api)
    secret = core.read_namespaced_secret("c-kubeconfig", "kcm-system")
    assert yaml.safe_load(base64.b64decode(secret.data["value"]))["current-context"] == "c"


def test_readiness_comes_last(kube: Kube, clusters: Place) -> None:
    kube.server().clusters.behave(Behaviour(never=True, delay_ms=1))
    clusters.create(deployment(config=SIZES))
    until(
        lambda: clusters.condition("c", "CAPIClusterSummary").get("status") == "False",
        why="it is provisioning",
    )
    assert clusters.condition("c", "TemplateReady")["status"] == "True"
    ready = clusters.condition("c", "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Progressing")


def test_without_values_it_is_only_validated(clusters: Place, nodes: Place) -> None:
    made = clusters.create(deployment())
    assert (made["spec"]["dryRun"], made["spec"]["config"]) == (True, SIZES)
    clusters.until_ready()
    assert nodes.names() == [] and clusters.condition("c", "HelmReleaseReady") == {}


def test_scaling_makes_and_removes_nodes(clusters: Place, nodes: Place) -> None:
    clusters.create(deployment(config=SIZES))
    clusters.until_ready()
    clusters.patch("c", {"spec": {"config": {"workersNumber": 4}}})
    clusters.until_ready()
    assert len(nodes.names()) == 5
    clusters.patch("c", {"spec": {"config": {"workersNumber": 0}}})
    clusters.until_ready()
    assert nodes.names() == ["c-cp-0"]


def test_an_upgrade_goes_along_its_path_only(clusters: Place) -> None:
    clusters.create(deployment(config=SIZES))
    clusters.until_ready()
    wrong = {"spec": {"template": NEWEST}}
    assert "cluster upgrade is forbidden" in refused(403, "Forbidden", lambda: clusters.patch("c", wrong))
    clusters.patch("c", {"spec": {"template": NEW}})
    assert clusters.until_ready()["status"]["k8sVersion"] == "v1.32.4+k0s.0"


@pytest.mark.parametrize("spec", [{"template": "none"}, {"credential": "none"}])
def test_what_is_not_there_is_refused(clusters: Place, spec: dict[str, str]) -> None:
    wanted = deployment(config=SIZES)
    wanted["spec"] |= spec
    assert '"none" not found' in refused(403, "Forbidden", lambda: clusters.create(wanted))


def test_values_that_the_chart_does_not_take_never_get_ready(clusters: Place) -> None:
    clusters.create(deployment(config={"controlPlaneNumber": 0}))
    until(lambda: clusters.condition("c", "HelmChartReady").get("status") == "False", why="it is judged")
    ready = clusters.condition("c", "Ready")
    assert ready["reason"] == "Failed" and "controlPlaneNumber" in ready["message"]


def test_a_deletion_tells_what_it_waits_for(kube: Kube, clusters: Place) -> None:
    clusters.create(deployment(config=SIZES))
    clusters.until_ready()
    kube.server().clusters.behave(Behaviour(stuck=True, delete_ms=1), "c")
    clusters.delete("c")
    reason = "WaitingForClusterDeletion"
    until(lambda: clusters.condition("c", "Deleting").get("reason") == reason, why="it tells")
    assert "still has its finalizer" in clusters.condition("c", "Ready")["message"]
    kube.server().clusters.behave(Behaviour(), "c")
    clusters.until_gone("c")


def test_nothing_is_left_of_a_deleted_cluster(
    kube: Kube, api: client.ApiClient, clusters: Place, nodes: Place
) -> None:
    clusters.create(deployment(config=SIZES, cleanupOnDeletion=True))
    clusters.until_ready()
    clusters.delete("c")
    clusters.until_gone("c")
    until(lambda: nodes.names() == [], why="the nodes are gone")
    until(
        lambda: not client.CoreV1Api(api).list_namespaced_secret("kcm-system").items, why="so is the secret"
    )


def test_a_failure_is_told(kube: Kube, clusters: Place) -> None:
    kube.server().clusters.behave(Behaviour(fail="no quota left"))
    clusters.create(deployment(config=SIZES))
    until(lambda: clusters.condition("c", "Ready").get("reason") == "Failed", why="it has failed")
    assert clusters.condition("c", "HelmReleaseReady")["message"] == "no quota left"


def test_a_lie_says_ready_of_nothing(kube: Kube, clusters: Place, nodes: Place) -> None:
    kube.server().clusters.behave(Behaviour(lies=True))
    clusters.create(deployment(config=SIZES))
    clusters.until_ready()
    assert nodes.names() == []


def test_haste_says_ready_before_the_work_begins(kube: Kube, clusters: Place, nodes: Place) -> None:
    clusters.create(deployment(config=SIZES))
    clusters.until_ready()
    kube.server().clusters.behave(Behaviour(hasty=True, delay_ms=500))
    clusters.patch("c", {"spec": {"config": {"workersNumber": 3}}})
    clusters.until_ready()
    assert len(nodes.names()) == 3
    until(lambda: clusters.condition("c", "Ready")["status"] != "True", why="the work begins")
    clusters.until_ready()
    assert len(nodes.names()) == 4


def test_a_controller_that_sleeps_does_nothing_until_it_wakes(kube: Kube, clusters: Place) -> None:
    kube.server().clusters.behave(Behaviour(asleep=True))
    clusters.create(deployment(config=SIZES))
    assert clusters.status("c") == {} and "finalizers" not in clusters.get("c")["metadata"]
    kube.server().clusters.behave(Behaviour(delay_ms=1))
    clusters.until_ready()


def test_templates_do_not_change(api: client.ApiClient) -> None:
    templates = Place(api, (*CLUSTERS[:3], "clustertemplates"))
    assert OLD in templates.names()
    refused(422, "Invalid", lambda: templates.patch(OLD, {"spec": {"helm": {"chartSpec": {"version": "9"}}}}))
