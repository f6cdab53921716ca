"""Demands: what users do that is as bad as any fault, on top of whatever else goes on.

Poisoned steps, many who fight for few resources, wide fan-outs, cancels and retries that race with
everything.
"""

from random import Random
from typing import Any, ClassVar

from tests.chaos.fault import Fault, Injection, Rhythm, Setting, register
from tests.chaos.site import Site
from tests.chaos.workload.mix import UNNUMBERED, Order
from tests.chaos.workload.types import DEADLY, POISONS

MOST_OPEN = 80  # Runs that are open when more is demanded.


class Demand(Fault):
    """Runs that are asked for all at once."""

    beat: ClassVar[Rhythm | None] = "demand"
    needs = Setting()
    most_open: ClassVar[int] = MOST_OPEN

    def orders(self, rng: Random) -> list[Order]:
        """What is asked for."""
        raise NotImplementedError

    def are_open(self, site: Site) -> float:
        """How many of those are open that count against `most_open`."""
        return float(site.users.open)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Ask for it, unless the site makes no progress as it is."""
        if self.are_open(site) > self.most_open:
            return None
        orders = self.orders(rng)
        site.users.demand(orders)
        return self.injection(f"{len(orders)} runs of {', '.join(sorted({one.type for one in orders}))}")


def order(kind: str, resource: str | None = None, **more: Any) -> Order:
    """One run with this input; what is no input is about how it is asked for."""
    how = {name: more.pop(name) for name in list(more) if name in Order.__dataclass_fields__}
    return Order(number=UNNUMBERED, type=f"chaos.{kind}", given=more, resource=resource, **how)


@register
class Poisoned(Demand):
    """A step that kills its own process every time: three deaths, then it has failed."""

    name, rows = "poisoned-step", ("RF20", "DF20")

    def orders(self, rng: Random) -> list[Order]:
        """One of them: each costs three processes."""
        return [order("poison", how=rng.choice(DEADLY))]


@register
class Spoiled(Demand):
    """Steps whose results cannot be stored, or that leave by the emergency exit."""

    name, rows = "spoiled-results", ("RF20", "DF20")

    def orders(self, rng: Random) -> list[Order]:
        """Each kind once."""
        return [order("poison", how=how) for how in POISONS if how not in DEADLY]


@register
class Cancelled(Demand):
    """Cancels from two sides at every moment of a run's life."""

    name, rows, weight = "racing-cancels", ("RF25", "DF16"), 2.0

    def orders(self, rng: Random) -> list[Order]:
        """Runs of every type that are cancelled while they start, run, fail or end."""
        return [
            order(
                kind,
                resource=f"r{rng.randrange(3)}" if kind == "locked" else None,
                pace=rng.choice([0, 5, 20]),
                items=[1, 2, 3],
                fails=rng.choice([0, 0, 2, 5]),
                hook=rng.random() < 0.5,
                cancel_after_ms=rng.randrange(200),
                cancel_twice=rng.random() < 0.6,
            )
            for kind in ("line", "fused", "group", "map", "job", "locked", "once")
        ]


@register
class Retried(Demand):
    """Retries from two sides at once, of runs that fail again."""

    name, rows = "racing-retries", ("RF25", "DF27")

    def orders(self, rng: Random) -> list[Order]:
        """Runs that fail at a late step and are started again from the beginning or from the second."""
        return [
            order(kind, fails=5, pace=5, stiff=stiff, retry=rng.choice(["start", "two"]), retry_twice=True)
            for kind in ("line", "fused", "job")
            for stiff in (False, True)
        ]


@register
class Undone(Demand):
    """Undos that fail three times before they succeed, while everything else is struck."""

    name, rows = "stubborn-undos", ("DF17",)

    def orders(self, rng: Random) -> list[Order]:
        """Runs with nothing but trouble on the way back."""
        return [
            order(kind, fails=5, stiff=True, times=3, pace=20) for kind in ("line", "fused", "job", "map")
        ]


@register
class Wide(Demand):
    """Fan-outs of 0, 1, 2 and many members that all end at the same time."""

    name, rows = "wide-fan-outs", ("DF18",)

    def orders(self, rng: Random) -> list[Order]:
        """Every width, with every way to join."""
        wide = rng.choice([50, 100, 200])
        joins = [(width, rng.choice(["all", "any", "collect", "two"])) for width in (0, 1, 2, wide)]
        lame = rng.choice([-1, 1])
        return [order("map", items=list(range(width)), join=join, lame=lame) for width, join in joins]


@register
class WideAmongMany(Demand):
    """Members of wide fan-outs that wait for workers while new runs come in great number."""

    name, rows = "fan-outs-among-many-runs", ("RF28",)
    most_open = 24  # Each of these runs is several turns, and a member waits for its own, not for a backlog.

    def orders(self, rng: Random) -> list[Order]:
        """Two fan-outs, and the runs that come behind them."""
        wide = [order("map", items=list(range(24)), pace=20) for _ in range(2)]
        return [*wide, *(order(kind, pace=20) for kind in ("fused", "line") for _ in range(12))]


@register
class Crowded(Demand):
    """Many runs that want the same three machines, some of which are cancelled while they hold or wait."""

    name, rows = "crowded-locks", ("DF19",)

    def orders(self, rng: Random) -> list[Order]:
        """Sixteen for three."""
        return [
            order(
                "locked",
                resource=f"r{number % 3}",
                pace=rng.choice([0, 20]),
                fails=rng.choice([0, 0, 0, 3]),
                cancel_after_ms=rng.randrange(500) if number % 5 == 0 else None,
            )
            for number in range(16)
        ]


@register
class Rebooted(Demand):
    """Hard reboots of real controllers: an order that is sent once, or an operator is asked."""

    name, rows, weight = "hard-reboots", ("RF18",), 2.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Two of them, when the site has machines."""
        if site.machines is None or site.users.open > MOST_OPEN:
            return None
        orders = site.machines.reboots(rng)
        site.users.demand(orders)
        return self.injection(f"{len(orders)} hard reboots")
