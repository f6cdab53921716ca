"""The states of a virtual machine and the actions that each allows (contracts/runs.rst#virtual-machines)."""

STATES = ("creating", "starting", "running", "stopping", "stopped", "paused", "deleting", "error", "deleted")
POWER = ("start", "stop", "restart", "pause", "unpause")
ACTIONS = (*POWER, "delete")
RUN_STRATEGIES = ("Manual", "Halted", "Always", "RerunOnFailure", "Once")
SELF_STARTING = frozenset({"Always", "RerunOnFailure", "Once"})  # Nobody has to start a new machine.

# The state that a machine shows while an action is under way.
TRANSIENT = {
    "create": "creating",
    "start": "starting",
    "stop": "stopping",
    "restart": "starting",
    "delete": "deleting",
}

# The state that each action ends in.
REACHED = {
    "start": "running",
    "restart": "running",
    "unpause": "running",
    "stop": "stopped",
    "pause": "paused",
}

ALLOWED: dict[str, frozenset[str]] = {
    "creating": frozenset(),
    "starting": frozenset(),
    "running": frozenset({"stop", "restart", "pause", "delete"}),
    "stopping": frozenset(),
    "stopped": frozenset({"start", "delete"}),
    "paused": frozenset({"unpause", "stop", "delete"}),
    "deleting": frozenset(),
    "error": frozenset({"create", *ACTIONS}),
    "deleted": frozenset(),
}

# The bus of each type of disk, unless one is told; KubeVirt takes no CD-ROM on virtio.
BUSES = {"disk": "virtio", "cdrom": "sata", "lun": "virtio"}
CLOUD_INIT_BYTES = 2_048  # What KubeVirt takes of user data, and of network data.

# KubeVirt's printableStatus as one of our states; what is not here is on its way somewhere.
SEEN_AS = {"Running": "running", "Stopped": "stopped", "Paused": "paused"}
# Words of printableStatus that no waiting mends.
HOPELESS = frozenset({"ErrorPvcNotFound", "DataVolumeError"})


def allows(state: str, action: str, *, built: bool = True) -> bool:
    """Whether a machine in this state accepts an action; ``create`` is one that only a retry asks for."""
    return action in ALLOWED[state] and (built or action not in POWER)


def allowed_actions(state: str, *, built: bool = True) -> list[str]:
    """The actions that people may ask of a machine in this state."""
    return sorted(action for action in ACTIONS if allows(state, action, built=built))
