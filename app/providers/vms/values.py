"""The values of the virtual machines capability: what is wished for, and what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.vms import HOPELESS, SEEN_AS

RISING = frozenset({"Running", "Starting", "Provisioning", "WaitingForVolumeBinding", "Migrating"})
FALLING = frozenset({"Stopped", "Stopping"})


@dataclass(frozen=True, kw_only=True)
class MachineWish:
    """A machine as it shall be; ``content`` is what the API calls disks, nics, gpus and so on."""

    name: str
    content: Mapping[str, object]
    run_strategy: str = "Manual"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as it was seen."""

    name: str
    uid: str
    resource_version: str
    owner: str | None  # The resource whose label it bears.
    run_strategy: str
    status: str  # KubeVirt's printableStatus; empty when nobody has looked at the machine yet.
    ready: bool = False
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    problem: str = ""  # What a controller says is in the way.
    ordered: tuple[str, ...] = ()  # Taken and not begun yet: ``Start``, ``Stop``, or one after the other.

    @property
    def state(self) -> str | None:
        """Running, stopped or paused; None on the way between them."""
        state = SEEN_AS.get(self.status)
        return None if state == "running" and not self.ready else state

    @property
    def hopeless(self) -> bool:
        """Whether no waiting mends it."""
        return self.status in HOPELESS

    @property
    def told(self) -> str:
        """For people, what it does now."""
        words = [f"the machine is {self.status or 'not looked at yet'}", self.problem]
        held = [f"finalizer {one}" for one in self.finalizers] if self.deleting else []
        return "; ".join(word for word in [*words, *held] if word)

    def already(self, action: str) -> bool:
        """Whether a refused action has been carried out before, or is under way."""
        if self.ordered and action in ("start", "stop"):
            return self.ordered[-1].lower() == action
        if action == "start":
            return self.status in RISING or self.run_strategy == "Always"
        if action == "stop":
            return self.status in FALLING
        return {"pause": "Paused", "unpause": "Running"}.get(action) == self.status

    def facts(self) -> dict[str, object]:
        """What is kept of it: see the column ``observed``."""
        return {
            "status": self.status,
            "ready": self.ready,
            "runStrategy": self.run_strategy,
            "deleting": self.deleting,
            "problem": self.problem,
        }
