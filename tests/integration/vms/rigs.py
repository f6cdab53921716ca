"""Management clusters on which every driver of virtual machines has to behave alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.lab.kube import Kube as Lab
from app.lab.kube.behaviour import Behaviour
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.vms import Machines
from app.providers.vms.kubevirt import KubeVirt
from app.providers.vms.memory import Room
from tests.support.kube import REAL, clear


@dataclass(frozen=True, kw_only=True)
class Rig:
    """The machines of one management cluster."""

    machines: Machines
    break_: Callable[[str], None]  # asleep, never, broken or stuck, as `app.providers.vms.memory` says.


@contextmanager
def in_memory() -> Iterator[Rig]:
    """The driver in memory."""
    room = Room()
    yield Rig(machines=room.machines(), break_=room.faults.add)  # type: ignore[arg-type]


@contextmanager
def kubevirt() -> Iterator[Rig]:
    """KubeVirt on the lab's API server."""
    with Lab() as lab:
        kube = Kube(cleaned(lab.kubeconfig()))
        controller = lab.server().vms

        yield Rig(machines=KubeVirt(kube, "default"), break_=lambda fault: controller.behave(FAULTS[fault]))
        kube.close()


FAULTS = {
    "asleep": Behaviour(asleep=True),
    "never": Behaviour(never=True),
    "broken": Behaviour(fail="DataVolumeError"),
    "stuck": Behaviour(stuck=True),
}


@contextmanager
def real() -> Iterator[Rig]:
    """KubeVirt's objects in a real cluster, whether or not anybody acts on them there."""
    kube = Kube(cleaned(Path(REAL or "").read_text()))
    machines = KubeVirt(kube, "default")
    clear(machines, "web-1")
    yield Rig(machines=machines, break_=lambda fault: None)
    clear(machines, "web-1")
    kube.close()


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"memory": in_memory, "kubevirt": kubevirt}
OBJECTS = {**RIGS, **({"real": real} if REAL else {})}
