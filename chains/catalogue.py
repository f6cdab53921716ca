"""The catalogue of workflow types: `@workflow` declares one, `lookup` finds it by name.

    @workflow("server.provision", resource="server", expects=Provision, eta="25m")
    def provision(given):
        return server.reserve() | server.power(state="on")

``chains/server/provision.py`` is ``server.provision``; hyphens of a type are underscores in its path. The
function gets the validated input and returns a plan; it must be pure, since a plan is made again when a
map opens. A plan is wired when its module is imported, with the names that ``expects`` declares.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from marshmallow import Schema
from marshmallow import ValidationError as SchemaError

import chains
from app.domain.clock import duration_ms
from app.domain.errors import PlanError, ValidationFailed
from app.domain.plan import SPACING, Map, Plan
from app.domain.run_kind import RunKind
from tasks.step import QUICK_MS, REGISTRY, Step
from windlass.decode import camel

Title = Callable[[Mapping[str, object]], str]
Compose = Callable[[Mapping[str, object]], Plan]
OnFailure = Literal["compensate", "hold", "keep"]
_TYPES: dict[str, "Workflow"] = {}
_loaded = False
HOLD_MS = 900_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Workflow:
    """One type of the catalogue; it equals none but itself."""

    name: str
    compose: Compose
    resource: str | None  # Kind of resource it works on and locks: "server".
    expects: type[Schema]
    eta_ms: int
    on_failure: OnFailure
    hold_ms: int
    locks: bool
    description: str
    always: tuple[str, ...]  # Names that every input has besides those of the schema.
    example: Mapping[str, object] | None
    title: Title | None  # What a run with this input does, in a few words.
    scope: str  # What a key needs to have it run: the scope of what it touches.
    kind: RunKind = RunKind.DECLARED
    ordered_by: str | None = None  # The request that starts its runs; none is started by its type alone then.

    def check(self, given: Mapping[str, object], resource_id: str | None = None) -> dict[str, object]:
        """The input with its types checked and defaults filled in; raises `ValidationFailed` by field.

        The input that a run shows names its resource, too: it may be sent back as it is.
        """
        try:
            loaded: dict[str, object] = self._schema.load(self._without_resource(given, resource_id))
        except SchemaError as error:
            fields = {f"input.{name}": _sentence(text) for name, text in _by_field(error).items()}
            raise ValidationFailed.many(fields) from None
        return loaded

    def plan(self, given: Mapping[str, object]) -> Plan:
        """The plan for this input; raises `PlanError` when it cannot be wired."""
        plan = self.compose(given)
        plan.wire({*given, *self._schema.fields, *self.always})
        return plan

    def _without_resource(self, given: Mapping[str, object], resource_id: str | None) -> dict[str, object]:
        shown = {*self.always, *map(camel, self.always)} if resource_id is not None else ()
        return {name: value for name, value in given.items() if name not in shown or value != resource_id}

    @cached_property
    def _schema(self) -> Schema:
        return self.expects()


def workflow(
    name: str,
    *,
    expects: type[Schema] = Schema,
    resource: str | None = None,
    eta: str | int = "1m",
    on_failure: OnFailure = "compensate",
    hold: str | int = "15m",
    locks: bool = True,
    example: Mapping[str, object] | None = None,
    title: Title | None = None,
    scope: str | None = None,
    kind: RunKind = RunKind.DECLARED,
    ordered_by: str | None = None,
) -> Callable[[Compose], Workflow]:
    """Declare a workflow type; with an ``example`` input its plan is wired here and now.

    ``scope`` is what a key needs to have it run; without one only ``admin`` may.
    """

    def declare(compose: Compose) -> Workflow:
        found = Workflow(
            name=name,
            compose=compose,
            resource=resource,
            expects=expects,
            eta_ms=duration_ms(eta),
            on_failure=on_failure,
            hold_ms=duration_ms(hold),
            locks=locks and resource is not None,
            description=(compose.__doc__ or "").strip(),
            always=() if resource is None else (f"{resource}_id",),
            example=example,
            title=title,
            scope=scope or "admin",
            kind=kind,
            ordered_by=ordered_by,
        )
        if example is not None:
            found.plan(example)
        _TYPES[name] = found
        return found

    return declare


def lookup(name: str) -> Workflow:
    """The type of this name; raises `ValidationFailed` on ``type``."""
    found = types().get(name)
    if found is None:
        raise ValidationFailed.of("type", f"{name!r} is not in the catalogue: {', '.join(sorted(types()))}")
    return found


def types() -> Mapping[str, Workflow]:
    """All types by name; the modules of the catalogue are imported on the first call."""
    global _loaded
    if not _loaded:
        importlib.import_module("tasks.code")  # Of no type here, and undone by whoever stops a run.
        for module in pkgutil.walk_packages(chains.__path__, "chains."):
            importlib.import_module(module.name)
        _loaded = True
    return _TYPES


def step_named(name: str) -> Step:
    """The step of this name, in whatever process asks; raises `KeyError`."""
    if name not in REGISTRY:
        types()
    return REGISTRY[name]


def step_names() -> Collection[str]:
    """The names of all steps."""
    types()
    return REGISTRY.keys()


def known_step(name: str) -> Step | None:
    """The step of this name; None when it is of another release, whose workers know it."""
    if name not in REGISTRY:
        types()
    return REGISTRY.get(name)


def is_foreign(row: Mapping[str, Any]) -> bool:
    """Whether a step's body is of another release; waits and fan-outs have none."""
    return row["kind"] in ("task", "operation", "code") and known_step(row["name"]) is None


def title_of(name: str, given: Mapping[str, object]) -> str:
    """What a run of this type with this input does, in a few words; a code workflow is called as it is."""
    known = types().get(name)
    if known is None:
        return name
    return known.title(given) if known.title else name.partition(".")[2].replace("-", " ")


def reads_input(name: str) -> bool:
    """Whether the title of a run of this type depends on its input."""
    known = types().get(name)
    return known is not None and known.title is not None


def hold_ms(name: str) -> int:
    """How long a held run of this type waits for an operator."""
    known = types().get(name)
    return known.hold_ms if known is not None else HOLD_MS  # Code workflows are not of the catalogue.


def holds(name: str) -> bool:
    """Whether runs of this type are held after a failure unless their order says otherwise."""
    known = types().get(name)
    return known is not None and known.on_failure == "hold"


def has_effect(name: str, known: Mapping[str, object]) -> bool:
    """Whether a step of this name does something to keep; a fan-out has what its members have."""
    types()
    step = REGISTRY.get(name)
    return step is not None and (step.effect(known) if callable(step.effect) else step.effect)


def expected_ms(name: str) -> int:
    """How long a step of this name declares to take."""
    types()
    return REGISTRY[name].expected_ms if name in REGISTRY else QUICK_MS


def map_of(name: str, given: Mapping[str, object], ordinal: int) -> Map:
    """The map at this place of a type's plan."""
    # The plan is made again from the stored input; that is why a plan must be a pure function of it.
    node = lookup(name).plan(given).nodes[ordinal // SPACING - 1]
    if not isinstance(node, Map):
        raise PlanError(f"{name} has no map at {ordinal}")
    return node


def _by_field(error: SchemaError) -> dict[str, object]:
    return error.messages if isinstance(error.messages, dict) else {"": error.messages}


def _sentence(messages: object) -> str:
    if isinstance(messages, dict):
        return "; ".join(f"{key}: {_sentence(value)}" for key, value in messages.items())
    return " ".join(str(text) for text in messages) if isinstance(messages, list) else str(messages)
