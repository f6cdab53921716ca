"""The states of a server and the actions that each allows: ``allowedActions`` (contract 1, A.8a)."""

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


def allowed_actions(state: str, *, maintenance: bool = False) -> list[str]:
    """The actions that a server in this state accepts."""
    return sorted(ALLOWED[state] - (NOT_IN_MAINTENANCE if maintenance else frozenset()))
