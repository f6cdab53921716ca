"""Management clusters on which every driver of clusters has to behave alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.lab.kube import Kube as Lab
from app.lab.kube.behaviour import Behaviour
from app.providers.clusters import Clusters, Template
from app.providers.clusters.k0rdent import K0rdent
from app.providers.clusters.memory import Site
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from tests.support.kube import REAL, clear

OLD, NEW = "openstack-standalone-cp-1-0-14", "openstack-standalone-cp-1-0-16"
CREDENTIAL = "lab-credential"


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One management cluster with two templates, a way from the old to the new one, and a credential."""

    clusters: Clusters
    break_: Callable[[str], None]  # never, fails or stuck, as `app.providers.clusters.memory` says.


@contextmanager
def in_memory() -> Iterator[Rig]:
    """The driver in memory."""
    templates = {
        name: Template(name=name, valid=True, kubernetes_version=version, parameters={"workersNumber": 2})
        for name, version in ((OLD, "v1.31.8+k0s.0"), (NEW, "v1.32.4+k0s.0"))
    }
    site = Site(templates=templates, credentials={CREDENTIAL: True}, upgrades={OLD: (NEW,)})
    yield Rig(clusters=site.clusters(), break_=site.faults.add)  # type: ignore[arg-type]


@contextmanager
def k0rdent() -> Iterator[Rig]:
    """k0rdent on the lab's API server."""
    with Lab() as lab:
        kube = Kube(cleaned(lab.kubeconfig()))
        controller = lab.server().clusters

        yield Rig(clusters=K0rdent(kube, "kcm-system"), break_=lambda fault: controller.behave(FAULTS[fault]))
        kube.close()


FAULTS = {
    "never": Behaviour(never=True),
    "fails": Behaviour(fail="no capacity"),
    "stuck": Behaviour(stuck=True),
}


@contextmanager
def real() -> Iterator[Rig]:
    """k0rdent's objects in a real cluster, whether or not anybody acts on them there."""
    kube = Kube(cleaned(Path(REAL or "").read_text()))
    clusters = K0rdent(kube, "kcm-system")
    clear(clusters, "prod-1")
    yield Rig(clusters=clusters, break_=lambda fault: None)
    clear(clusters, "prod-1")
    kube.close()


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"memory": in_memory, "k0rdent": k0rdent}
OBJECTS = {**RIGS, **({"real": real} if REAL else {})}
