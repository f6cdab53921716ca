"""Failpoints in the processes of a site, without a line in product code.

Named in `Setting.inside`, this module is imported at the start of every process. It wraps public functions of
the product at the moment when their modules are imported, before anybody can take the unwrapped ones:

* a transition, as `TRANSITIONS` names it: ``claim.before-commit``, ``claim.after-commit``, …; what is
  published is published after ``settle.after-commit``;
* ``body.begin`` and ``body.end`` around whatever a step declares: body, undo, observation, poll, abort;
* ``publish.before`` and ``publish.after`` around a publication; ``on_error.begin``;
* ``look.begin`` and ``look.end`` around each look of the reconciler;
* ``bmc.before-send`` and ``bmc.after-send`` around orders to a machine;
* those of the drivers (`tests.chaos.points.driver`).
"""

import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tests.chaos.points import driver
from tests.chaos.points.acts import passed

# Transitions by module and function; the function either commits itself, or its caller does.
TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    "app.engine.transitions.claim": {"claim": "claim"},
    "app.engine.transitions.settle": {"settle": "settle"},
    "app.engine.transitions.branch": {"claim_member": "claim", "settle_and_claim": "settle"},
    "app.engine.transitions.accept": {"accept": "accept", "at_once": "accept"},
    "app.engine.transitions.retry": {"retry": "retry"},
    "app.engine.transitions.operator_actions": {"cancel": "cancel", "act": "act"},
    "app.engine.messages.publisher": {"redispatch": "redispatch"},
    "app.engine.reconciler.resume": {
        "lose": "lose",
        "fire_timer": "fire",
        "hear_children": "fire",
        "execute_hook": "hook",
        "grant_waiting": "grant",
    },
}
# Points before and after a call: module, class if any, function, names.
AROUND: Sequence[tuple[str, str, str, str, str]] = (
    ("chains.canvas", "", "publish", "publish.before", "publish.after"),
    ("app.record.runs.lost_messages", "", "held_by_task", "on_error.begin", ""),
    ("app.providers.bmc.ipmi", "IpmiBMC", "reset", "bmc.before-send", "bmc.after-send"),
    ("app.providers.bmc.ipmi", "IpmiBMC", "set_power", "bmc.before-send", "bmc.after-send"),
    ("app.providers.bmc.redfish", "RedfishBMC", "reset", "bmc.before-send", "bmc.after-send"),
    ("app.providers.bmc.redfish", "RedfishBMC", "set_power", "bmc.before-send", "bmc.after-send"),
    *(
        ("app.engine.reconciler.reconciler", "Reconciler", look, "look.begin", "look.end")
        for look in ("leases", "orphans", "overdue_timers", "epoch", "lost_messages", "free_locks")
    ),
)


def around(function: Callable[..., Any], before: str, after: str, **facts: Any) -> Callable[..., Any]:
    """The function between two points."""

    @functools.wraps(function)
    def instead(*args: Any, **kwargs: Any) -> Any:
        passed(before, **facts)
        result = function(*args, **kwargs)
        if after:
            passed(after, **facts)
        return result

    return instead


def transition(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function as a transition whose commit is watched."""

    @functools.wraps(function)
    def instead(*args: Any, **kwargs: Any) -> Any:
        with driver.within(name):
            return function(*args, **kwargs)

    return instead


def bodies(module: ModuleType) -> None:
    """Points around everything that a step declares."""
    call = module.call

    @functools.wraps(call)
    def instead(body: Any, ctx: Any, known: Any) -> Any:
        facts = {"run": ctx.run_id, "step": ctx.step, "phase": ctx.phase, "body": body.__name__}
        passed("body.begin", **facts)
        result = call(body, ctx, known)
        passed("body.end", **facts)
        return result

    module.call = instead  # type: ignore[attr-defined]


def wrap(module: ModuleType) -> None:
    """Put the points into a module that has just been imported."""
    name = module.__name__
    for function, label in TRANSITIONS.get(name, {}).items():
        setattr(module, function, transition(getattr(module, function), label))
    for where, owner, function, before, after in AROUND:
        if where == name:
            holder: Any = getattr(module, owner) if owner else module
            setattr(holder, function, around(getattr(holder, function), before, after, call=function))
    if name == "tasks.step":
        bodies(module)
    if name == "psycopg":
        driver.postgres(module)


WRAPPED = frozenset({*TRANSITIONS, *(one[0] for one in AROUND), "tasks.step", "psycopg"})


class _Finder(MetaPathFinder):
    """Finds the modules to wrap as the import system would, and wraps them once they have run."""

    def __init__(self) -> None:
        self._looking: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in WRAPPED or name in self._looking:
            return None
        self._looking.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking.discard(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def instead(module: ModuleType) -> None:
                execute(module)
                wrap(module)

            spec.loader.exec_module = instead  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Watch imports from now on; what was imported before is wrapped at once."""
    sys.meta_path.insert(0, _Finder())
    driver.sqlite()
    for name in WRAPPED & set(sys.modules):
        wrap(sys.modules[name])


if __name__ in os.environ.get("CHAOS_INSIDE", "").split():
    install()
