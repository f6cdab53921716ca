"""The virtual machines capability: machines that a management cluster runs.

Drivers: KubeVirt (`kubevirt`), and a complete twin in memory (`memory`). One behaviour suite runs on both
(tests/integration/vms). Every failure is a Kubernetes error of `app.domain.errors`.
"""

from typing import Protocol

from app.providers.vms.values import Machine, MachineWish

__all__ = ["Machine", "MachineWish", "Machines"]


class Machines(Protocol):
    """The virtual machines of one management cluster; every call is one short conversation."""

    def find(self, name: str) -> Machine | None:
        """A machine as it is now."""

    def instance(self, name: str) -> str | None:
        """What tells this start of the machine from an earlier one; None while it does not run."""

    def apply(self, wish: MachineWish) -> Machine:
        """Make a machine, or leave it as it is; `KubeConflict` when one of its name is in other hands."""

    def act(self, name: str, action: str, grace_s: int | None = None) -> None:
        """Start, stop, restart, pause or unpause: accepted, not reached yet.

        Being there already, or on the way, counts as done, except for restart: whoever repeats that looks at
        `instance` before. ``grace_s`` is how long the system may take to go; 0 takes the power away.
        """

    def delete(self, name: str, uid: str | None = None) -> bool:
        """Ask for its end, of that very one when its uid is given; False when there is none."""
