"""While k0rdent's kinds are not served nothing is known of a cluster, so nothing follows."""

from collections.abc import Iterator

import pytest

from app.lab.kube import Behaviour, Faults
from app.lab.kube import Kube as Lab
from app.providers.clusters.k0rdent import GROUP, VERSION, K0rdent
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from tests.integration.clusters.rigs import CREDENTIAL, OLD
from tests.support.kube import effects
from tests.support.managed import Scene
from tests.support.servers import until

UNSERVED = Faults(unserved=(f"{GROUP}/{VERSION}",))


@pytest.fixture
def lab(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A management cluster on a port, which the scene's steps talk to."""
    with Lab() as lab:
        kube = Kube(cleaned(lab.kubeconfig()))
        monkeypatch.setattr(scene, "clusters", lambda _management: K0rdent(kube, "kcm-system"))
        yield lab
        kube.close()


@pytest.fixture
def cluster_id(scene: Scene, lab: Lab) -> str:
    """A cluster that is ready."""
    made = scene.plant_cluster(template=OLD, credential=CREDENTIAL)
    run_id = scene.start("cluster.create", made)
    until(lambda: scene.finish(run_id) == "completed", why="the cluster is made")
    return made


@pytest.mark.parametrize("asked", [False, True], ids=["before", "while-waiting"])
def test_a_cluster_whose_kind_is_not_served_is_not_gone(
    scene: Scene, lab: Lab, cluster_id: str, asked: bool
) -> None:
    name = scene.cluster(cluster_id)["name"]
    run_id = scene.start("cluster.delete", cluster_id)
    if asked:
        lab.server().clusters.behave(Behaviour(stuck=True))
        scene.reach(run_id, "wait-deleted")
    lab.server().active_faults.current = UNSERVED
    assert scene.finish(run_id, most=6) == "waiting"
    assert (scene.cluster(cluster_id)["state"], "gone" in effects(lab, name)) == ("deleting", False)
    lab.server().active_faults.current = Faults()
    lab.server().clusters.behave(Behaviour())
    until(lambda: scene.finish(run_id) == "completed", why="the cluster is deleted")
    assert effects(lab, name)[-1] == "gone"
