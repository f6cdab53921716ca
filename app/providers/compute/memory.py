"""A complete cloud in memory: states that move on when looked at, tokens, faults, a ledger of orders.

cloud = Cloud()
cloud.compute().create(Spec(name="web-1", plan="1xCPU-2GB", zone="fi-hel1", batch="b"), "token")
cloud.ledger                       # ["create web-1"]
"""

from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import uuid4

from app.domain.errors import (
    CloudAuthFailed,
    CloudNoCapacity,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnreachable,
)
from app.providers.compute.values import Access, Machine, Plan, Price, Spec, Whoami, oldest_first

Fault = Literal[
    "dead",  # No answer to anything.
    "drop",  # The answer to an order is lost; the order is carried out.
    "throttle",  # Every call is refused for a second.
    "noCapacity",  # Nothing is made.
    "quota",  # Nothing more is made.
    "badAuth",  # The login is refused.
    "late",  # New machines are not listed yet.
    "stuck",  # Machines stay on their way.
    "lies",  # Orders are accepted, and nothing is made.
    "twins",  # An order makes two machines.
]
PLANS = [Plan(name="1xCPU-2GB", cpus=1, memory_mb=2048), Plan(name="2xCPU-4GB", cpus=2, memory_mb=4096)]
ZONES = ["de-fra1", "fi-hel1"]


@dataclass
class Cloud:
    """The machines of one account, what is wrong with it, and every order, oldest first."""

    faults: set[Fault] = field(default_factory=set)
    ledger: list[str] = field(default_factory=list)
    machines: dict[str, Machine] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)

    def compute(self, access: Access | None = None) -> "MemoryCompute":
        """A driver for this cloud."""
        return MemoryCompute(self, access or Access(provider="memory"))


class MemoryCompute:
    """See `app.providers.compute.Compute`; a machine moves on when somebody looks at it."""

    lists_late = True

    def __init__(self, cloud: Cloud, access: Access) -> None:
        self.cloud, self.access = cloud, access

    def whoami(self) -> Whoami:
        self._answer()
        return Whoami(name="memory", clock_skew_ms=0)

    def plans(self) -> list[Plan]:
        self._answer()
        return list(PLANS)

    def zones(self) -> list[str]:
        self._answer()
        return list(ZONES)

    def prices(self) -> list[Price]:
        self._answer()
        return [Price(plan=plan.name, zone=zone, amount=plan.cpus) for plan in PLANS for zone in ZONES]

    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        self._answer()
        wanted = {"token": token, "name": name, "batch": batch}
        seen = [one for one in self.cloud.machines.values() if one.id not in self.cloud.unlisted]
        return oldest_first(
            [one for one in seen if all(v is None or getattr(one, k) == v for k, v in wanted.items())]
        )

    def create(self, spec: Spec, token: str) -> Machine:
        self._answer()
        plan, zone = self.access.plan(spec.plan), self.access.zone(spec.zone)
        self._check(spec, plan, zone)
        self.cloud.ledger.append(f"create {spec.name}")
        made = [self._made(spec, plan, zone, token) for _ in range(2 if "twins" in self.cloud.faults else 1)]
        self._lost()
        return made[0]

    def look(self, id_: str) -> Machine | None:
        self._answer()
        seen = self.cloud.machines.get(id_)
        if seen is not None and "stuck" not in self.cloud.faults:
            self._move(seen)
        return seen

    def remove(self, id_: str) -> bool:
        self._answer()
        seen = self.cloud.machines.get(id_)
        if seen is None:
            return True
        if seen.state != "removing":
            self.cloud.ledger.append(f"remove {seen.name}")
            self.cloud.machines[id_] = replace(seen, state="removing")
        elif "stuck" not in self.cloud.faults:
            self._move(seen)
        self._lost()
        return False

    def _check(self, spec: Spec, plan: str, zone: str) -> None:
        """What this cloud will not make."""
        if plan not in {one.name for one in PLANS}:
            raise CloudRefused(f"create {spec.name}: there is no plan {plan}")
        if zone not in ZONES:
            raise CloudRefused(f"create {spec.name}: there is no zone {zone}")
        if "noCapacity" in self.cloud.faults:
            raise CloudNoCapacity(f"create {spec.name}: {zone} has no room for {plan}")
        if "quota" in self.cloud.faults:
            raise CloudQuotaExceeded(f"create {spec.name}: the account may not have more machines")

    def _made(self, spec: Spec, plan: str, zone: str, token: str) -> Machine:
        number = len(self.cloud.ledger)
        made = Machine(
            id=str(uuid4()),
            name=spec.name,
            plan=plan,
            zone=zone,
            state="creating",
            token=token,
            batch=spec.batch,
            addresses=(f"127.44.0.{number % 250 + 1}",),
            created_at=number,
        )
        if "lies" in self.cloud.faults:
            return made
        self.cloud.machines[made.id] = made
        if "late" in self.cloud.faults:
            self.cloud.unlisted.add(made.id)
        return made

    def _move(self, seen: Machine) -> None:
        if seen.state == "creating":
            self.cloud.machines[seen.id] = replace(seen, state="running")
        elif seen.state == "removing":
            del self.cloud.machines[seen.id]
            self.cloud.ledger.append(f"gone {seen.name}")

    def _answer(self) -> None:
        if "dead" in self.cloud.faults:
            raise CloudUnreachable("the cloud does not answer", nothing_happened=True)
        if "badAuth" in self.cloud.faults:
            raise CloudAuthFailed("the cloud does not know who asks")
        if "throttle" in self.cloud.faults:
            raise CloudThrottled("the cloud wants to be left alone", retry_after_ms=1_000)

    def _lost(self) -> None:
        if "drop" in self.cloud.faults:
            raise CloudUnreachable("the answer was lost")
