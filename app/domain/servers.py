"""The states of a server and the actions that each allows (contracts/runs.rst#servers-pools-and-hooks)."""

from collections.abc import Mapping
from dataclasses import dataclass

STATES = (
    "registering",
    "registered",
    "inspecting",
    "available",
    "provisioning",
    "provisioned",
    "deprovisioning",
    "error",
    "decommissioning",
    "decommissioned",
)

POWER = ("powerOn", "powerOff", "reboot")

ACTIONS = ("inspect", "provision", *POWER, "deprovision", "maintenance", "decommission")

# The state that a server shows while an action is under way; actions that are not here leave it alone.
TRANSIENT = {
    "register": "registering",
    "inspect": "inspecting",
    "provision": "provisioning",
    "deprovision": "deprovisioning",
    "decommission": "decommissioning",
}

ALLOWED: dict[str, frozenset[str]] = {
    "registering": frozenset(),
    "registered": frozenset({"inspect", *POWER, "maintenance", "decommission"}),
    "inspecting": frozenset(),
    "available": frozenset({"inspect", "provision", *POWER, "maintenance", "decommission"}),
    "provisioning": frozenset(),
    "provisioned": frozenset({"inspect", *POWER, "deprovision", "maintenance"}),
    "deprovisioning": frozenset(),
    "error": frozenset(
        {"register", "inspect", "provision", *POWER, "deprovision", "maintenance", "decommission"}
    ),
    "decommissioning": frozenset(),
    "decommissioned": frozenset(),
}
NOT_IN_MAINTENANCE = frozenset({"provision"})  # A machine that is out of service gets no new work.


# What may be asked of a machine that has never said who it is: it may be another server's, or not be there.
UNIDENTIFIED = frozenset({"register", "inspect", "maintenance", "decommission"})
NOT_IN_USE = frozenset({"provision", "decommission"})  # What would take a machine from whoever uses it.


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What else than its state decides what a server may do."""

    maintenance: bool = False
    identified: bool = True
    in_use: bool = False

    @classmethod
    def of(cls, row: Mapping[str, object], *, force: bool = False) -> "Situation":
        """That of a row of the inventory; whoever forces an action knows that the machine is in use."""
        return cls(
            maintenance=bool(row["maintenance"]),
            identified=row["identified_at"] is not None,
            in_use=not force and (row["image"] is not None or row["reserved_by"] is not None),
        )


def restored(row: Mapping[str, object]) -> str:
    """What a server is that has overcome an error without being installed or given back."""
    if row["identified_at"] is None:
        return "error"
    if row["image"] is not None:
        return "provisioned"
    if row["reserved_by"] is not None:  # Somebody's installation was given up in the middle.
        return "error"
    return "available" if row["hardware"] is not None else "registered"


def allows(state: str, action: str, it: Situation) -> bool:
    """Whether a server in this state accepts an action; ``register`` is one that only a retry asks for."""
    if action not in ALLOWED[state] or (it.maintenance and action in NOT_IN_MAINTENANCE):
        return False
    if state != "error":
        return True
    return (it.identified or action in UNIDENTIFIED) and not (it.in_use and action in NOT_IN_USE)


def allowed_actions(state: str, it: Situation) -> list[str]:
    """The actions that people may ask of a server in this state."""
    return sorted(action for action in ACTIONS if allows(state, action, it))
