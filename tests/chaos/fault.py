"""What a fault is: something that is done to a running site on purpose.

It counts only when it was done.

A fault names the rows that it covers: RF… are faults of processes and servers, DF… those of data and
messages; ``scripts/chaos --row NAME`` runs one. The campaign chooses among the registered faults by weight,
calls `strike`, keeps the `Injection` as evidence, and calls `heal` after the fault has lasted as long as it
shall. A row without any injection counts as failed.

Modules below ``tests/chaos/faults`` and ``tests/chaos/points`` register their faults when they are imported::

    @register
    class ChildKilled(Fault):
        name = "child-killed"
        rows = ("RF1", "DF1", "DF2")

        def strike(self, site, rng):
            ...
            return self.injection("killed pool process 4711", hit=[4711])
"""

import importlib
import pkgutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    from tests.chaos.site import Site

POSTGRES, SQLITE = "postgres+redis", "sqlite+valkey"
BOTH = (POSTGRES, SQLITE)

# What cannot work while the fault lasts: one process, the broker, the database, or everything. Nobody can
# recover from a fault of the database before it is over, so recovery times count from its end.
Scope = Literal["process", "broker", "database", "site"]

# How often a fault strikes: kills every 2 s, freezes every 5 s, demands (poison, races, …) every 3 s, what
# concerns all every 8 s.
Rhythm = Literal["kill", "freeze", "demand", "weather"]


# Webhooks go to this machine, and have workers.
WITH_WEBHOOKS = {
    "WINDLASS_WEBHOOK_ALLOW": "127.0.0.0/8",
    "WINDLASS_WEBHOOK_ALLOW_HTTP": "true",
    "WINDLASS_WEBHOOK_PROCESSES": "4",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a fault needs a site to be started with; the campaign joins the settings of its faults."""

    proxied: bool = False  # Service and database, service and Redis speak through fault proxies.
    inside: tuple[str, ...] = ()  # Modules that every process of the service imports at its start.
    env: Mapping[str, str] = field(default_factory=dict)  # Variables of every process of the service.
    code: bool = False  # A worker host for code workflows runs as well.
    apps: bool = False  # Only what apps need runs, and runs of apps are asked for (`tests.chaos.apps`).


@dataclass(kw_only=True)
class Injection:
    """A fault that was really done; times are milliseconds since 1970 by this process's clock."""

    fault: str
    rows: tuple[str, ...]
    what: str  # For people: which process, which key, how long.
    scope: Scope
    at: int
    until: int | None = None  # When it was healed; None while it lasts.
    hit: tuple[int, ...] = ()  # Processes that were killed or frozen.


class Fault(ABC):
    """One kind of fault."""

    name: ClassVar[str]
    rows: ClassVar[tuple[str, ...]]
    backends: ClassVar[tuple[str, ...]] = BOTH
    scope: ClassVar[Scope] = "process"
    weight: ClassVar[float] = 1.0  # How often it is chosen, compared with others.
    lasts_s: ClassVar[tuple[float, float]] = (0.0, 0.0)  # Shortest and longest time between strike and heal.
    needs_s: ClassVar[float] = 0.0  # How long before the end of a campaign it strikes for the last time.
    alone: ClassVar[bool] = False  # Whether no other fault may be under way at the same time.
    needs: ClassVar[Setting] = Setting()
    beat: ClassVar[Rhythm | None] = None  # None: by scope and duration.

    @property
    def rhythm(self) -> Rhythm:
        """How often it strikes."""
        if self.beat is not None:
            return self.beat
        if self.scope != "process" or self.alone:
            return "weather"
        return "freeze" if self.lasts_s[1] else "kill"

    @abstractmethod
    def strike(self, site: "Site", rng: Random) -> Injection | None:
        """Do it now; None when it could not be done, which does not count."""

    def heal(self, site: "Site") -> None:  # noqa: B027 - a kill needs none.
        """End it, and leave the site as it was; called after every strike, also at the very end."""

    def injection(self, what: str, hit: tuple[int, ...] | list[int] = ()) -> Injection:
        """The evidence that it was done just now."""
        return Injection(
            fault=self.name,
            rows=self.rows,
            what=what,
            scope=self.scope,
            at=round(time.time() * 1000),
            hit=tuple(hit),
        )


F = TypeVar("F", bound=type[Fault])
_FAULTS: dict[str, Fault] = {}


def register(kind: F) -> F:
    """Make a kind of fault known to the campaign."""
    _FAULTS[kind.name] = kind()
    return kind


def faults(backend: str | None = None) -> dict[str, Fault]:
    """All faults by name, or those of one backend; imports every module that may register one."""
    for package in ("tests.chaos.faults", "tests.chaos.points", "tests.chaos.demands"):
        try:
            found = importlib.import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            continue
        for module in pkgutil.iter_modules(found.__path__, f"{package}."):
            importlib.import_module(module.name)
    return {name: one for name, one in sorted(_FAULTS.items()) if backend is None or backend in one.backends}
