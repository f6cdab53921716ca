"""Runs that are poison in rarer ways, asked for while others do their work."""

from random import Random
from typing import ClassVar
from uuid import uuid4

from tests.chaos.fault import Fault, Injection, register
from tests.chaos.site import Site
from tests.chaos.workload.client import Client, Request

RUNS = "/v1/workflows/runs"


def swallow(site: Site, how: str) -> str | None:
    """Start a run with this poison; its id, once it is accepted."""
    given = {"type": "chaos.venom", "input": {"how": how, "fails": 5}}
    request = Request(kind="start", path=RUNS, body=given, key=f"venom-{uuid4().hex}")
    client: Client = site.users.client if site.users is not None else Client(site.url, site.folder)
    return client.ask(request, patience_s=30).run_id


class Poison(Fault):
    """A run of which a step is poison."""

    rows = ("RF20", "DF20")
    beat = "demand"
    kinds: ClassVar[tuple[str, ...]]

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Ask for one."""
        how = rng.choice(self.kinds)
        run_id = swallow(site, how)
        return self.injection(f"{run_id} is poisoned: {how}") if run_id is not None else None


@register
class BitterPoison(Poison):
    """The step runs out of memory or stack, or returns what no database can store."""

    name = "poison-bitter"
    kinds = ("memory", "recursion", "not-a-number", "unprintable-error", "unprintable-result")


@register
class DeafPoison(Poison):
    """No time limit reaches the step; it is only over when the last resort has killed it three times."""

    name = "poison-deaf"
    kinds = ("deaf",)
    needs_s = 150.0
