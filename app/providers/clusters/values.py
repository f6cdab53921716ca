"""The values of the clusters capability: what is wished for, and what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHECKS = ("TemplateReady", "CredentialReady", "HelmChartReady")  # What a dry run gets to.
WORK = ("HelmReleaseReady", "CAPIClusterSummary")  # What tells of the work on a wish, once there is any.
FAILED = "Failed"  # The reason of a check that somebody has to do something about.
# What says "no" with these reasons is not mended by waiting.
HOPELESS = {**dict.fromkeys(CHECKS, (FAILED,)), "HelmReleaseReady": ("InstallFailed", "UpgradeFailed")}


@dataclass(frozen=True, kw_only=True)
class Template:
    """What clusters can be made of."""

    name: str
    valid: bool
    problem: str = ""  # Why it is not valid.
    kubernetes_version: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)  # Its parameters and their defaults.


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A deployment as it shall be: all that we want of it, since what is left out is given up."""

    name: str
    template: str
    credential: str
    config: Mapping[str, object]  # Never empty: without it the operator turns the deployment into a dry run.
    dry_run: bool = False
    cleanup_on_deletion: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    uid: str | None = None


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that a controller says of a deployment."""

    type: str
    status: str  # "True", "False", "Unknown".
    reason: str = ""
    message: str = ""
    generation: int | None = None  # Of the wish it speaks of; None: it does not say.

    @property
    def told(self) -> str:
        """For people: ``Ready is False (Progressing): waiting for machines``."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.type} is {self.status}{why}" + (f": {self.message}" if self.message else "")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment as it was seen."""

    name: str
    uid: str
    resource_version: str
    owner: str | None  # The resource whose label it bears.
    template: str
    credential: str | None
    config: Mapping[str, Any]
    dry_run: bool
    generation: int
    observed_generation: int
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    available_upgrades: tuple[str, ...] = ()
    kubernetes_version: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the wish as it stands now is fulfilled.

        Right after a change k0rdent sums up `Ready` of this wish out of what it knows of the work on the last
        one; so all that tells of the work has to speak of this wish, too.
        """
        work = [one for one in self.conditions if one.type in WORK]
        return not self.deleting and self._holds("Ready") and all(self._current(one) for one in work)

    @property
    def checked(self) -> bool:
        """Whether everything is there that the wish needs; a dry run gets no further."""
        return all(self._holds(name) for name in CHECKS)

    @property
    def hopeless(self) -> Condition | None:
        """What no waiting mends."""
        told = (one for one in self.conditions if one.status == "False" and self._current(one))
        return next((one for one in told if one.reason in HOPELESS.get(one.type, ())), None)

    @property
    def blockers(self) -> tuple[str, ...]:
        """What it is still waiting for, in the words of its controllers."""
        waits = [one for one in self.conditions if one.status != "True" or one.reason.startswith("Waiting")]
        said = tuple(one.told for one in waits if one.reason)
        held = tuple(f"finalizer {one}" for one in self.finalizers) if self.deleting else ()
        return said + held

    @property
    def told(self) -> str:
        """For people, what it waits for."""
        return "; ".join(self.blockers) or "its controllers have said nothing about it yet"

    def _holds(self, name: str) -> bool:
        return any(
            one.type == name and one.status == "True" and self._current(one) for one in self.conditions
        )

    def _current(self, condition: Condition) -> bool:
        """Whether a condition speaks of the wish as it stands now, and not of an older one."""
        seen = self.observed_generation if condition.generation is None else condition.generation
        return seen >= self.generation

    def facts(self) -> dict[str, object]:
        """What is kept of it: see the column ``observed``."""
        return {
            "ready": self.ready,
            "deleting": self.deleting,
            "dryRun": self.dry_run,
            "template": self.template,
            "kubernetesVersion": self.kubernetes_version,
            "availableUpgrades": list(self.available_upgrades),
            "conditions": [
                {"type": one.type, "status": one.status, "reason": one.reason, "message": one.message}
                for one in self.conditions
            ],
        }
