"""The campaigns by name: which faults, how often, how long, on which stack."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce

from tests.chaos.campaign import Plan
from tests.chaos.fault import POSTGRES, SQLITE, Fault, Rhythm, Setting, faults
from tests.chaos.schedule import Beat

# The rows of the three matrices that concern what is built.
ROWS = (
    *(f"RF{number}" for number in (*range(1, 9), *range(10, 15), 16, 18, 20, 22, *range(25, 32))),
    *(f"DF{number}" for number in (*range(1, 8), 9, *range(12, 23), 26, 27)),
    *(f"BF{number}" for number in (1, *range(4, 10), 11, 14, 15, 16)),
)
APPS = tuple(f"AF{number}" for number in range(1, 9))  # Rows of apps; the campaigns above have none of them.
APPS_S = 40.0  # A message that fails for longer is dead, which is as it should be and proves nothing.
RHYTHMS: Mapping[Rhythm, float] = {"kill": 2.0, "freeze": 5.0, "demand": 3.0, "weather": 8.0}
# Everything at once is a lot for two cores: what is struck too often does not work at all, and proves
# nothing.
FULL_RHYTHMS: Mapping[Rhythm, float] = {"kill": 5.0, "freeze": 10.0, "demand": 8.0, "weather": 11.0}
ROW_RHYTHMS: Mapping[Rhythm, float] = {"kill": 2.0, "freeze": 4.0, "demand": 1.0, "weather": 7.0}
CORE = frozenset({"RF1", "RF2", "RF3", "RF4", "RF5", "RF6", "RF7", "RF8", "RF11", "RF12", "DF4", "DF5"})
# What the short campaign is made of: the faults that happen, and those that find most.
SMOKE = frozenset(
    {
        *("child-killed", "child-killed-at-point", "host-killed", "api-killed", "api-killed-at-point"),
        *("reconciler-killed", "order-killed", "child-frozen", "frozen-at-point", "undo-killed"),
        *("redis-flushed", "redis-restarted-empty", "database-stopped", "database-locked"),
        *("commit-unheard", "writer-killed", "poisoned-step"),
        *("racing-cancels", "crowded-locks", "wide-fan-outs", "racing-retries"),
        *("hard-reboots", "reconciler-killed-firing", "code-runs", "racing-signals"),
    }
)
# What costs half of the site's capacity for many seconds strikes ten times less often than its like.
HEAVY = frozenset(
    {
        *("host-killed", "main-killed", "api-lost", "reconcilers-killed"),
        *("host-frozen", "main-frozen", "reconciler-frozen", "host-clock-shifted", "api-clock-shifted"),
    }
)
HEAVY_TIMES = {"kill": 10.0, "freeze": 5.0}  # How many times longer the pause between two of them is.
ALONE_TIMES = 3.0  # The same where there is nothing else to strike.
# Half a minute in which every fault still strikes.
SMOKE_RHYTHMS: Mapping[Rhythm, float] = {**RHYTHMS, "demand": 2.5, "weather": 5.5}
# Whose memory is to be judged must live long.
SOAK_RHYTHMS: Mapping[Rhythm, float] = {"kill": 300.0, "freeze": 300.0, "demand": 90.0, "weather": 300.0}


def beats(
    chosen: Iterable[Fault], rhythms: Mapping[Rhythm, float] = RHYTHMS, *, fair: bool = False
) -> tuple[Beat, ...]:
    """The faults by rhythm; with ``fair``, those that concern all take turns whatever they weigh."""
    found = list(chosen)
    made = []
    for rhythm, every_s in rhythms.items():
        names = [one.name for one in found if one.rhythm == rhythm]
        light = tuple(name for name in names if name not in HEAVY)
        heavy = tuple(name for name in names if name in HEAVY)
        made.append(Beat(every_s=every_s, faults=light, fair=fair and rhythm == "weather"))
        times = HEAVY_TIMES.get(rhythm, 1.0) if light else ALONE_TIMES
        made.append(Beat(every_s=every_s * times, faults=heavy))
    return tuple(beat for beat in made if beat.faults)


def joined(chosen: Iterable[Fault]) -> Setting:
    """What all of them need a site to be started with."""
    return reduce(
        lambda one, other: Setting(
            proxied=one.proxied or other.proxied,
            inside=tuple(dict.fromkeys((*one.inside, *other.inside))),
            env={**one.env, **other.env},
            code=one.code or other.code,
            apps=one.apps or other.apps,
        ),
        (fault.needs for fault in chosen),
        Setting(),
    )


def smoke(seed: int, backend: str) -> Plan:
    """Half a minute: something of everything that needs no patience, on a machine that may be busy."""
    chosen = [one for name, one in faults(backend).items() if name in SMOKE]
    return Plan(
        name="smoke",
        seed=seed,
        backend=backend,
        seconds=30,
        calm=20,
        beats=beats(chosen, SMOKE_RHYTHMS, fair=True),
        setting=joined(chosen),
        rows=("RF1", "RF2", "RF5", "RF6"),
        timed=False,
    )


def full(seed: int, backend: str) -> Plan:
    """A quarter of an hour: every row on one stack."""
    chosen = [one for one in faults(backend).values() if not one.needs.apps]
    return Plan(
        name="full",
        seed=seed,
        backend=backend,
        seconds=13 * 60,
        beats=beats(chosen, FULL_RHYTHMS, fair=True),
        setting=joined(chosen),
        rows=rows_of(backend),
    )


def mass(seed: int, backend: str) -> Plan:
    """The large one: a kill every 2 s, a freeze every 5 s, and what befalls Redis and the database."""
    chosen = [one for one in faults(backend).values() if CORE & set(one.rows) and one.rhythm != "demand"]
    return Plan(
        name="campaign",
        seed=seed,
        backend=backend,
        runs=10_000 if backend == POSTGRES else 2_000,
        calm=100,
        beats=beats(chosen, {**RHYTHMS, "weather": 10.0}),
        setting=joined(chosen),
        window=48,
    )


def row(name: str, seed: int, backend: str, seconds: float = 75) -> Plan:
    """One row alone, struck as often as it can be borne."""
    chosen = [one for one in faults(backend).values() if name in one.rows]
    setting = joined(chosen)
    if name in APPS:
        setting, seconds = replace(setting, apps=True), min(seconds, APPS_S)
    return Plan(
        name=name,
        seed=seed,
        backend=backend,
        seconds=seconds,
        calm=40,
        beats=beats(chosen, ROW_RHYTHMS),
        setting=setting,
        rows=(name,),
    )


def soak(seed: int, backend: str, seconds: float) -> Plan:
    """Hours at a low rate, with the faults that happen: what grows, grows for a reason."""
    chosen = [one for name, one in faults(backend).items() if name in SMOKE]
    return Plan(
        name="soak",
        seed=seed,
        backend=backend,
        seconds=seconds,
        beats=beats(chosen, SOAK_RHYTHMS),
        setting=joined(chosen),
        window=2,
        soak=True,
    )


def rows_of(backend: str) -> tuple[str, ...]:
    """The rows that a stack can be struck by; what only the other one knows is left to it."""
    here = {name for one in faults(backend).values() for name in one.rows}
    other = SQLITE if backend == POSTGRES else POSTGRES
    there = {name for one in faults(other).values() for name in one.rows}
    return tuple(name for name in ROWS if name in here or name not in there)
