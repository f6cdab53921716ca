"""Complete virtual machines in memory: KubeVirt's words, its table of refusals, faults, a ledger of orders.

room = Room()
room.machines().apply(MachineWish(name="web-1", content={}))
room.ledger                        # ["create web-1"]
"""

from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import uuid4

from app.domain.errors import KubeConflict, KubeRefused, KubeUnreachable
from app.domain.ownership import RESOURCE
from app.domain.vms import SELF_STARTING
from app.providers.vms.values import Machine, MachineWish

Fault = Literal[
    "dead",  # No answer to anything.
    "drop",  # The answer to an order is lost; the order is carried out.
    "asleep",  # No order is carried out.
    "never",  # A machine never starts.
    "broken",  # A machine's volume is not there.
    "stuck",  # A finalizer never goes.
]
# Where a status leads by itself, when somebody looks.
NEXT = {"Starting": "Running", "Stopping": "Stopped"}
# What each order needs, and what it leads to.
ORDERS: dict[str, tuple[frozenset[str], str]] = {
    "start": (frozenset({"Stopped"}), "Starting"),
    "stop": (frozenset({"Running", "Starting", "Paused"}), "Stopping"),
    "restart": (frozenset({"Running"}), "Starting"),
    "pause": (frozenset({"Running"}), "Paused"),
    "unpause": (frozenset({"Paused"}), "Running"),
}
FINALIZER = "kubevirt.io/virtualMachineControllerFinalize"


@dataclass
class Room:
    """The machines of one management cluster, what is wrong with it, and every change, oldest first."""

    faults: set[Fault] = field(default_factory=set)
    ledger: list[str] = field(default_factory=list)
    there: dict[str, Machine] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    version: int = 0

    def machines(self) -> "MemoryMachines":
        """A driver for this room."""
        return MemoryMachines(self)


class MemoryMachines:
    """See `app.providers.vms.Machines`; a machine moves on when somebody looks."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def find(self, name: str) -> Machine | None:
        self._answer()
        seen = self.room.there.get(name)
        if seen is not None:
            self._move(seen)
        return seen

    def instance(self, name: str) -> str | None:
        self._answer()
        return self.room.instances.get(name)

    def apply(self, wish: MachineWish) -> Machine:
        self._answer()
        there = self.room.there.get(wish.name)
        if there is None:
            self.room.ledger.append(f"create {wish.name}")
            there = self._keep(
                Machine(
                    name=wish.name,
                    uid=str(uuid4()),
                    resource_version="",
                    owner=wish.labels.get(RESOURCE),
                    run_strategy=wish.run_strategy,
                    status="Stopped",
                )
            )
            if wish.run_strategy in SELF_STARTING:
                there = self._begin(there)
        self._lost()
        return there

    def act(self, name: str, action: str, grace_s: int | None = None) -> None:
        self._answer()
        there = self.room.there.get(name)
        if there is None:
            raise KubeRefused(f"{action} {name}: there is no such machine", status=404)
        from_, to = ORDERS[action]
        if there.status not in from_:
            if there.already(action):
                return
            raise KubeConflict(f"{action} {name}: the machine is {there.status}", status=409)
        self.room.ledger.append(f"{action} {name}")
        if to == "Starting":
            self._begin(there)
        else:
            self._keep(replace(there, status=to, ready=to == "Running"))
        self._lost()

    def delete(self, name: str, uid: str | None = None) -> bool:
        self._answer()
        there = self.room.there.get(name)
        if there is None:
            return False
        if uid not in (None, there.uid):
            raise KubeConflict(f"delete {name}: it is not {uid}", status=409)
        if not there.deleting:
            self.room.ledger.append(f"delete {name}")
            self._keep(replace(there, deleting=True, status="Terminating", finalizers=(FINALIZER,)))
        self._lost()
        return True

    def _begin(self, there: Machine) -> Machine:
        self.room.instances[there.name] = str(uuid4())
        status = "DataVolumeError" if "broken" in self.room.faults else "Starting"
        return self._keep(replace(there, status=status, ready=False))

    def _move(self, there: Machine) -> None:
        if "asleep" in self.room.faults:
            return
        if there.deleting:
            if "stuck" not in self.room.faults:
                del self.room.there[there.name]
                self.room.instances.pop(there.name, None)
                self.room.ledger.append(f"gone {there.name}")
            return
        following = NEXT.get(there.status)
        if following is None or (following == "Running" and "never" in self.room.faults):
            return
        if following == "Stopped":
            self.room.instances.pop(there.name, None)
        self._keep(replace(there, status=following, ready=following == "Running"))

    def _keep(self, there: Machine) -> Machine:
        self.room.version += 1
        kept = replace(there, resource_version=str(self.room.version))
        self.room.there[there.name] = kept
        return kept

    def _answer(self) -> None:
        if "dead" in self.room.faults:
            raise KubeUnreachable("the management cluster does not answer", nothing_happened=True)

    def _lost(self) -> None:
        if "drop" in self.room.faults:
            raise KubeUnreachable("the answer was lost")
