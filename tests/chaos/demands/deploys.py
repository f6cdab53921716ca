"""Deployments of code workflows under live runs: host by host, with code that drifts, rolled back."""

from contextlib import suppress
from random import Random

import psutil
import pytest
from sqlalchemy import ColumnElement, func, select

from app.domain.states import RunStatus
from app.record.tables import run as runs
from tests.chaos.demands.code import AUTHORED, Walks
from tests.chaos.fault import Fault, Injection, register
from tests.chaos.site import AUTHORED_HOSTS, AUTHORED_PROCESSES, Site
from tests.chaos.workload.mix import UNNUMBERED, Order
from tests.support.servers import until

WALK = "code.walk"
SERVED_S = 40.0  # Hosts are killed, start again, and get to the runs in this time.
DRIFT = (
    'ctx.step("one", act, run, "one", None, [], pace)',
    'ctx.step("gone" if ctx.is_replaying else "one", act, run, "one", None, [], pace)',
)
SECOND = f'\nworkflow("{WALK}", version="2", max_events=1_000)(walk.fn)\n'


@register
class Deployed(Fault):
    """The worker hosts of code workflows are stopped and started one by one, as by a rolling deployment."""

    name, rows, needs, beat = "code-deployed", ("RF22",), AUTHORED, "weather"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Ask for some runs and SIGTERM one of the worker hosts; the keeper starts the next one."""
        hosts = site.processes("code-host")
        if not _all_serve(site):
            return None  # One host after the other: the next is stopped when the last one serves again.
        site.users.demand(Walks().orders(rng))
        try:
            hosts[0].terminate()
        except psutil.NoSuchProcess:
            return None
        return self.injection(f"stopped the host of code workflows, {hosts[0].pid}", [hosts[0].pid])


@register
class Drifted(Fault):
    """Code that makes another call than the history of suspended runs has, until it is mended."""

    name, rows, needs, beat = "code-drifts", ("DF22",), AUTHORED, "weather"
    scope, alone, lasts_s = "site", True, (0.5, 2.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Let runs suspend and deploy the drift; it counts once a run is blocked."""
        if not _all_serve(site):
            return None
        site.users.demand([_napping(rng) for _ in range(4)])
        if not _seen(site, runs.c.status == RunStatus.WAITING):
            return None
        killed = site.deploy(lambda source: with_second(source.replace(*DRIFT)))
        injected = self.injection("deployed code that drifts", killed)
        if _seen(site, runs.c.status == RunStatus.BLOCKED):
            return injected
        self.heal(site)
        return None

    def heal(self, site: Site) -> None:
        """Deploy the mended code."""
        site.deploy(with_second)


@register
class RolledBack(Fault):
    """A new version is deployed, and taken back while runs that are bound to it are on their way."""

    name, rows, needs, beat = "code-rolled-back", ("DF21", "RF22"), AUTHORED, "weather"
    scope, alone, lasts_s = "site", True, (1.0, 4.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Deploy a second version, start runs, which get it, and take it back while they wait."""
        if not _all_serve(site):
            return None
        site.deploy(with_second)
        until(lambda: _all_serve(site), SERVED_S, "the new version is served")
        site.users.demand([_napping(rng) for _ in range(4)])
        if not _seen(site, runs.c.version == "2", runs.c.status == RunStatus.WAITING):
            return None
        return self.injection("took the second version back", site.deploy())

    def heal(self, site: Site) -> None:
        """Deploy it again: its runs have waited."""
        site.deploy(with_second)


def with_second(source: str) -> str:
    """The code workflows with a second version of one: what has been deployed once has runs."""
    return source + SECOND


def _napping(rng: Random) -> Order:
    given = {"pace": 5, "nap": 2_000, "words": rng.randint(0, 1), "fan": 1, "child": False, "fails": False}
    return Order(number=UNNUMBERED, type=WALK, given=given)


def _all_serve(site: Site) -> bool:
    return len(site.processes("code-child")) >= len(AUTHORED_HOSTS) * AUTHORED_PROCESSES


def _seen(site: Site, *where: ColumnElement[bool]) -> bool:
    """Whether there is such a run of code before patience is over."""
    wanted = select(func.count()).select_from(runs).where(runs.c.type == WALK, *where)
    with suppress(pytest.fail.Exception):
        return bool(until(lambda: site.db.read(lambda tx: tx.value(wanted)), SERVED_S, "such a run"))
    return False
