"""The states of a cluster, its allowed actions, how it can be scaled (contracts/runs.rst#clusters)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from app.domain.errors import Permanent

STATES = ("creating", "validated", "ready", "scaling", "upgrading", "deleting", "error", "deleted")
ACTIONS = ("scale", "upgrade", "delete")

# The state that a cluster shows while an action is under way.
TRANSIENT = {"create": "creating", "scale": "scaling", "upgrade": "upgrading", "delete": "deleting"}

ALLOWED: dict[str, frozenset[str]] = {
    "creating": frozenset(),
    "validated": frozenset({"delete"}),  # A dry run: templates and credential are right, nothing was built.
    "ready": frozenset(ACTIONS),
    "scaling": frozenset(),
    "upgrading": frozenset(),
    "deleting": frozenset(),
    "error": frozenset({"create", *ACTIONS}),
    "deleted": frozenset(),
}
ON_WHAT_IS_THERE = frozenset({"scale", "upgrade"})  # They change a deployment; one that failed has none.


def allows(state: str, action: str, *, built: bool = True) -> bool:
    """Whether a cluster in this state accepts an action; ``create`` is one that only a retry asks for."""
    return action in ALLOWED[state] and (built or action not in ON_WHAT_IS_THERE)


def allowed_actions(state: str, *, built: bool = True) -> list[str]:
    """The actions that people may ask of a cluster in this state."""
    return sorted(action for action in ACTIONS if allows(state, action, built=built))


class Unscalable(Permanent):
    """The cluster's template does not let it be scaled like this."""

    code = "INVALID_STATE_TRANSITION"
    nothing_happened = True


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a template keeps its numbers of nodes in ``spec.config``; None: it has no such number."""

    workers: str | None = None  # A path with dots; ``*`` stands for the one pool, or the one called "user".
    control_planes: str | None = None
    least_workers: int = 1


BOTH = Scale(workers="workersNumber", control_planes="controlPlaneNumber")
BOTH_FROM_ZERO = Scale(workers="workersNumber", control_planes="controlPlaneNumber", least_workers=0)
HOSTED = Scale(workers="workersNumber")  # The control plane is somebody else's.

# By the beginning of the template's name (contracts/runs.rst#clusters); any other template is asked itself.
SCALES: Mapping[str, Scale] = {
    "adopted-cluster": Scale(),
    "aws-standalone-cp": BOTH_FROM_ZERO,
    "kubevirt-standalone-cp": BOTH_FROM_ZERO,
    "azure-standalone-cp": BOTH,
    "gcp-standalone-cp": BOTH,
    "openstack-standalone-cp": BOTH,
    "vsphere-standalone-cp": BOTH,
    "aws-eks": HOSTED,
    "gcp-gke": HOSTED,
    "aws-hosted-cp": HOSTED,
    "openstack-hosted-cp": HOSTED,
    "docker-hosted-cp": HOSTED,
    "azure-aks": Scale(workers="machinePools.*.count"),
    "remote-cluster": Scale(control_planes="controlPlaneNumber"),  # Its workers are a list of machines.
}
ON_MACHINES = "remote-cluster"  # The template whose workers are machines that we bring.


def scale_of(template: str, defaults: Mapping[str, object] | None = None) -> Scale:
    """How clusters of this template are scaled; ``defaults`` is what the template says of its parameters."""
    known = next((scale for name, scale in SCALES.items() if template.startswith(name)), None)
    if known is not None:
        return known
    told = defaults or {}
    return Scale(
        workers="workersNumber" if "workersNumber" in told else None,
        control_planes="controlPlaneNumber" if "controlPlaneNumber" in told else None,
    )


def scaled(
    config: Mapping[str, object],
    template: str,
    *,
    workers: int | None = None,
    control_planes: int | None = None,
    defaults: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The configuration with other numbers of nodes; raises `Unscalable`."""
    scale = scale_of(template, defaults)
    changed = deepcopy(dict(config))
    if workers is not None:
        _set(changed, template, "workers", scale.workers, workers, scale.least_workers)
    if control_planes is not None:
        _set(changed, template, "control planes", scale.control_planes, control_planes, 1)
    return changed


def on_machines(config: Mapping[str, object], machines: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The configuration of a cluster whose workers are these machines."""
    return {**config, "machines": [dict(each) for each in machines]} if machines else dict(config)


def _set(config: dict[str, Any], template: str, what: str, path: str | None, count: int, least: int) -> None:
    if path is None:
        raise Unscalable(f"Clusters of {template} cannot be scaled: their template has no number of {what}")
    if count < least:
        raise Unscalable(f"Clusters of {template} have at least {least} {what}", least=least)
    *parents, last = path.split(".")
    place = config
    for name in parents:
        place = place.setdefault(_pool(place, template) if name == "*" else name, {})
    place[last] = count


def _pool(pools: Mapping[str, object], template: str) -> str:
    if len(pools) > 1 and "user" not in pools:
        raise Unscalable(f"Name one of the node pools of {template}: {', '.join(sorted(pools))}")
    return "user" if "user" in pools or not pools else next(iter(pools))


def resized(pools: Sequence[Mapping[str, Any]], workers: int) -> list[dict[str, Any]]:
    """The pools of servers for so many workers in all: the last pool grows, the last ones shrink first."""
    if workers < 1:
        raise Unscalable("A cluster on servers has at least 1 worker", least=1)
    changed = [dict(pool) for pool in pools]
    missing = workers - sum(int(pool["count"]) for pool in changed)
    if missing > 0:
        changed[-1]["count"] += missing
        return changed
    for pool in reversed(changed):
        taken = min(-missing, int(pool["count"]))
        pool["count"] -= taken
        missing += taken
    return changed
