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


def allows(state: str, action: str, *, maintenance: bool = False) -> bool:
    """Whether a server in this state accepts an action; ``register`` is one that only a retry asks for."""
    return action in ALLOWED[state] and not (maintenance and action in NOT_IN_MAINTENANCE)


def allowed_actions(state: str, *, maintenance: bool = False) -> list[str]:
    """The actions that people may ask of a server in this state."""
    return sorted(action for action in ACTIONS if allows(state, action, maintenance=maintenance))
