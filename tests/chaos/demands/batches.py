"""Demands of batches: graphs of local servers with limits and failures, and people who change their mind."""

from random import Random
from typing import Any, ClassVar

from tests.chaos.demands.awkward import Demand
from tests.chaos.fault import register
from tests.chaos.site import Site
from tests.chaos.workload.batches import KEY
from tests.chaos.workload.mix import UNNUMBERED, Order

STRUCK = ("BF1", "BF4", "BF5", "BF9", "BF11", "BF14")  # Rows whose faults are those of other runs.


def batch(**given: Any) -> Order:
    """One batch."""
    return Order(number=UNNUMBERED, type=KEY, given=given)


class BatchDemand(Demand):
    """Batches that are submitted all at once, as long as few are open: each operation is a run, too.

    What counts is the open batches: other runs are open all the time, and would keep all batches away.
    """

    weight: ClassVar[float] = 2.0
    most_open: ClassVar[int] = 4

    def are_open(self, site: Site) -> float:
        """Batches alone."""
        return float(site.users.open_batches)


@register
class Batches(BatchDemand):
    """Graphs with every policy, some of which are rolled back while workers die."""

    name, rows = "batches", STRUCK

    def orders(self, rng: Random) -> list[Order]:
        """Two of them, and a chain that is rolled back: an order can be judged where there is one."""
        then = rng.choice([None, "rollback", "rollback", "retry"])
        return [
            batch(chain=True),
            *(
                batch(operations=rng.randint(1, 6), limit=rng.randint(1, 3), failing=0.15, then=then)
                for _ in range(2)
            ),
        ]


@register
class CancelledBatches(BatchDemand):
    """Cancels from two sides that race with the end of the last operation."""

    name, rows = "cancelled-batches", ("BF6",)

    def orders(self, rng: Random) -> list[Order]:
        """Small ones, which end soon."""
        return [batch(operations=rng.randint(1, 3), then="cancel") for _ in range(4)]


@register
class PausedBatches(BatchDemand):
    """Pauses that race with the start of operations."""

    name, rows = "paused-batches", ("BF7",)

    def orders(self, rng: Random) -> list[Order]:
        """Under a limit of one, operations begin all the time."""
        return [batch(operations=5, limit=1, then="pause") for _ in range(3)]


@register
class RepeatedBatches(BatchDemand):
    """Retries and rollbacks of one batch at the same moment."""

    name, rows = "repeated-batches", ("BF8",)

    def orders(self, rng: Random) -> list[Order]:
        """Most of them fail."""
        return [batch(operations=4, failing=0.4, then="retry") for _ in range(3)]


@register
class CrowdedBatches(BatchDemand):
    """Batches that want the same servers: one has them, the others are refused."""

    name, rows = "crowded-batches", ("BF15",)

    def orders(self, rng: Random) -> list[Order]:
        """Five that want the same, and undo it."""
        names = f"shared{rng.randrange(2)}"
        return [batch(operations=3, failing=0, names=names, then="rollback") for _ in range(5)]


@register
class WideBatches(BatchDemand):
    """Many operations that need nothing and end at the same moment."""

    name, rows = "wide-batches", ("BF16",)

    def orders(self, rng: Random) -> list[Order]:
        """One: each operation is a run of its own."""
        return [batch(operations=rng.choice([40, 80]), limit=100, wide=True, failing=0.05)]
