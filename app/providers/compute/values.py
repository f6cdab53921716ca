"""The values of the compute capability: accounts, machines to create, machines as read, plans and prices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

ITEM_LABEL, BATCH_LABEL = "windlass-item", "windlass-batch"  # Labels, or tags, of every machine we make.
# creating and removing are transitional; failed needs an operator; a removed machine is not returned at all.
State = Literal["creating", "running", "stopped", "removing", "failed"]


@dataclass(frozen=True, kw_only=True)
class Access:
    """An account of a provider: endpoint, credentials, and its names for zones and plans."""

    provider: str
    account: str = ""  # Id of the account here.
    endpoint: str = ""  # Base URL; empty means the provider's own.
    region: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    zones: Mapping[str, str] = field(default_factory=dict)  # Our name of a zone, and the provider's.
    plans: Mapping[str, str] = field(default_factory=dict)  # Our name of a plan, and the provider's.
    image: str = ""

    def zone(self, name: str) -> str:
        """The provider's name of a zone."""
        return self.zones.get(name, name)

    def plan(self, name: str) -> str:
        """The provider's name of a plan; blanks are ignored."""
        table = {plan_name(ours): theirs for ours, theirs in self.plans.items()}
        return plan_name(table.get(plan_name(name), name))

    def same(self, there: tuple[str, str], wanted: tuple[str, str]) -> bool:
        """Whether a plan and a zone equal the wanted ones, in either naming; a region contains its zones."""
        zone, asked = self.zone(there[1]), self.zone(wanted[1])
        in_region = bool(self.region) and asked == self.region and zone.startswith(self.region)
        return self.plan(there[0]) == self.plan(wanted[0]) and (zone == asked or in_region)

    def ours(self, machine: "Machine") -> "Machine":
        """A machine with our names of its plan and zone, where there are any."""
        plans = {plan_name(theirs): plan_name(ours) for ours, theirs in self.plans.items()}
        zones = {theirs: ours for ours, theirs in self.zones.items()}
        plan, zone = plans.get(machine.plan, machine.plan), zones.get(machine.zone, machine.zone)
        return replace(machine, plan=plan, zone=zone)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A machine to create."""

    name: str
    plan: str
    zone: str
    batch: str  # Lineage of the batch that makes it.
    user_data: str = ""  # cloud-config.
    public_keys: tuple[str, ...] = ()  # That may log in, as lines of authorized_keys.
    image: str = ""  # Empty means the account's.
    install: Mapping[str, object] = field(default_factory=dict)  # The image of a server of a pool.
    rehearsal: Mapping[str, Any] = field(default_factory=dict)  # Faults that a local server plays.


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as the provider described it."""

    id: str
    name: str
    plan: str  # The provider's name, as for the zone.
    zone: str
    state: State
    token: str = ""  # Empty on machines that we did not make.
    batch: str = ""
    addresses: tuple[str, ...] = ()  # Public ones first.
    created_at: int = 0  # Milliseconds since 1970; 0 where the provider does not say.
    problem: str = ""  # What the provider says is wrong with it.


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An available plan."""

    name: str
    cpus: int
    memory_mb: int


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a plan costs in a zone, in hundredths of a currency unit an hour."""

    plan: str
    zone: str
    amount: float


@dataclass(frozen=True, kw_only=True)
class Whoami:
    """The identity of the credentials at a provider."""

    name: str
    clock_skew_ms: int | None = None  # The provider's clock minus ours; None if the answer has no date.


def plan_name(name: str) -> str:
    """A plan without blanks: ``1xCPU-2 GB`` and ``1xCPU-2GB`` are one."""
    return re.sub(r"\s+", "", name)


def oldest_first(machines: list[Machine]) -> list[Machine]:
    """By age, and by id within the same age, so that every process chooses the same of several machines."""
    return sorted(machines, key=lambda one: (one.created_at, one.id))
