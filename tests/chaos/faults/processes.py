"""Processes that are killed, frozen past their lease, or lost all at once."""

import signal
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import ClassVar

import psutil

from tests.chaos.fault import Fault, Injection, register
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

READY_S = 45.0  # A site that was killed answers again within this.
OUTSIDE = "lab"  # The machines are the world: nothing that happens to the service happens to them.


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and everything below it."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> list[int]:
    """Signal those that are still there; their ids."""
    hit = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            hit.append(process.pid)
    return hit


def kill(processes: Iterable[psutil.Process]) -> list[int]:
    """Kill -9 all of them as one: none sees another die."""
    chosen = list(processes)
    send(chosen, signal.SIGSTOP)
    return send(chosen, signal.SIGKILL)


class Killed(Fault):
    """Some process of a role dies, or all of a role, or one with everything below it."""

    role: ClassVar[str]
    whole: ClassVar[bool] = False  # With everything below it.
    every: ClassVar[bool] = False  # All of the role.

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Kill -9."""
        found = site.processes(self.role)
        if not found:
            return None
        chosen = found if self.every else [rng.choice(found)]
        hit = kill(one for process in chosen for one in (family(process) if self.whole else [process]))
        return self.injection(f"killed {self.role} {', '.join(map(str, hit))}", hit) if hit else None


@register
class ChildKilled(Killed):
    """A pool process dies in the middle of whatever it does."""

    name, rows, role = "child-killed", ("RF1", "DF1", "BF1", "BF9"), "child"
    weight = 4.0


@register
class MainKilled(Killed):
    """A Celery main dies; its pool processes find themselves alone."""

    name, rows, role = "main-killed", ("RF2", "DF2"), "worker"


@register
class HostKilled(Killed):
    """A whole worker host dies: supervisor, mains, pool processes, reconciler."""

    name, rows, role = "host-killed", ("RF2", "DF2", "BF1", "BF14"), "host"
    whole = True


@register
class ApiKilled(Killed):
    """A process that answers requests dies."""

    name, rows, role = "api-killed", ("RF3", "BF1"), "api-worker"


@register
class ApiLost(Killed):
    """The whole API dies."""

    name, rows, role = "api-lost", ("RF3",), "api"
    whole = True


@register
class ReconcilerKilled(Killed):
    """One of the reconcilers dies."""

    name, rows, role = "reconciler-killed", ("RF4", "BF1"), "reconciler"


@register
class ReconcilersKilled(Killed):
    """No reconciler is left."""

    name, rows, role = "reconcilers-killed", ("RF4", "DF12", "AF3"), "reconciler"
    every = True


class Frozen(Fault):
    """A process stops in its tracks, longer than its lease lasts, and then goes on as if nothing had been."""

    role: ClassVar[str]
    whole: ClassVar[bool] = False
    lasts_s = (12.0, 21.0)  # The lease is 10 s.

    def __init__(self) -> None:
        self._stopped: list[psutil.Process] = []

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """SIGSTOP."""
        found = site.processes(self.role)
        if not found:
            return None
        chosen = rng.choice(found)
        self._stopped = family(chosen) if self.whole else [chosen]
        hit = send(self._stopped, signal.SIGSTOP)
        return self.injection(f"froze {self.role} {', '.join(map(str, hit))}", hit) if hit else None

    def heal(self, site: Site) -> None:
        """SIGCONT, children first."""
        send(reversed(self._stopped), signal.SIGCONT)
        self._stopped = []


@register
class ChildFrozen(Frozen):
    """A pool process becomes a zombie worker: it wakes up when others have taken over."""

    name, rows, role = "child-frozen", ("RF5", "DF3", "BF11"), "child"
    weight = 2.0


@register
class HostFrozen(Frozen):
    """A whole worker host stands still, as a virtual machine does while it is moved."""

    name, rows, role = "host-frozen", ("RF5", "DF3"), "host"
    whole = True


@register
class MainFrozen(Frozen):
    """A Celery main keeps what it has fetched, and hands it out too late."""

    name, rows, role = "main-frozen", ("RF5", "DF3"), "worker"


@register
class ReconcilerFrozen(Frozen):
    """A reconciler stands still, perhaps in the middle of a transaction."""

    name, rows, role = "reconciler-frozen", ("RF4", "DF12"), "reconciler"


@register
class PowerLost(Fault):
    """Everything dies at once: service, Redis and database. Then everything comes back by itself."""

    name, rows = "power-lost", ("RF26",)
    scope, alone = "site", True
    weight = 0.5
    lasts_s = (0.0, 3.0)

    def __init__(self) -> None:
        self._keeper: psutil.Process | None = None

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Kill -9 all, while nothing is started again."""
        family = inside(site)
        if not family:
            return None
        self._keeper = keeper(site)
        self._keeper.suspend()
        hit = kill(family)
        site.store.kill()
        if site.postgres is not None:
            site.postgres.kill()
        return self.injection(f"killed everything: {len(hit)} processes and the servers", hit)

    def heal(self, site: Site) -> None:
        """The servers start on what they have, then the service: two cores need their time for all of it."""
        if site.postgres is not None:
            site.postgres.start()
        site.store.start()
        if self._keeper is not None:
            self._keeper.resume()
            self._keeper = None
        within(READY_S, site.is_ready)


def inside(site: Site) -> list[psutil.Process]:
    """Every process of the service; not the machines."""
    machines = {process.pid for process in site.processes(OUTSIDE)}
    return [process for process in site.family() if process.pid not in machines]


def keeper(site: Site) -> psutil.Process:
    """The process that starts again what has died."""
    plan = str(site.folder / "keeper.json")
    return next(one for one in psutil.Process().children() if plan in one.cmdline())
