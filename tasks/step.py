"""How a step is declared: `@step`, `@operation`, and under each its undo, observation, poll and abort.

    @step(retry=backoff("5s", limit=6), timeout="2m", queue="bmc")
    def power(ctx, server_id, state):
        ...

    @power.undo
    def power_back(ctx, server_id): ...

Parameter names are the wiring (see `app.domain.plan`); the first parameter is always the context. The
function's module and name make the registered name: ``tasks/server.py`` `power` is ``server.power``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, overload

from app.domain.clock import duration_ms
from app.domain.errors import Permanent, PlanError
from app.domain.plan import Do, Kind, Plan, StepSpec
from app.domain.policy import PATIENT, Backoff, backoff

Body = Callable[..., object]
QUICK_MS = 2_000  # What a step takes that says nothing else.
Effect = bool | Callable[[Mapping[str, object]], bool]  # Of what the run knows.
REGISTRY: dict[str, "Step"] = {}


@dataclass(frozen=True)
class Again:
    """A poll found the operation still under way; ``progress`` is free text for people."""

    progress: str = ""


@dataclass(frozen=True)
class Finished:
    """The start of an operation found nothing left to wait for, and this is the result."""

    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Happened:
    """An observation: the lost attempt took effect, and this is its result."""

    result: Mapping[str, object] = field(default_factory=dict)


class NothingHappened:
    """An observation: the lost attempt had no effect, so the step may be repeated."""


@dataclass(frozen=True)
class Undo:
    """The way back from a step, with a patience of its own."""

    body: Body
    retry: Backoff
    timeout_ms: int
    queue: str | None  # None: that of the step.


class Step:
    """A declared step; calling it with values gives a plan of one step."""

    def __init__(
        self,
        body: Body,
        *,
        spec: StepSpec,
        retry: Backoff,
        at_most_once: bool,
        poll_every: Backoff,
        effect: Effect = True,
        expected_ms: int = QUICK_MS,
    ):
        self.body, self.spec, self.retry = body, spec, retry
        self.at_most_once = at_most_once
        self.poll_every = poll_every
        self.expected_ms = expected_ms  # How long it usually takes, until that is known from runs.
        self.effect = effect  # Whether it does something outside that a failed run may want to keep.
        self.undoing: Undo | None = None
        self.observing: Body | None = None
        self.polling: Body | None = None
        self.aborting: Body | None = None
        # Rows name a step for as long as its run is open; with two of a name, a worker might run the wrong
        # one.
        if spec.name in REGISTRY and REGISTRY[spec.name].body.__module__ != body.__module__:
            raise PlanError(f"Two steps are called {spec.name}")
        REGISTRY[spec.name] = self

    def __call__(self, **values: object) -> Plan:
        return Plan((Do(self.spec, values),))

    @overload
    def undo(self, body: Body) -> Body: ...

    @overload
    def undo(
        self, *, retry: Backoff = ..., timeout: str | int | None = ..., queue: str | None = ...
    ) -> Callable[[Body], Body]: ...

    def undo(
        self,
        body: Body | None = None,
        *,
        retry: Backoff = PATIENT,
        timeout: str | int | None = None,
        queue: str | None = None,
    ) -> Body | Callable[[Body], Body]:
        """Declare the way back. It must accept that there is nothing to undo."""

        def declare(body: Body) -> Body:
            limit = self.spec.timeout_ms if timeout is None else duration_ms(timeout)
            self.undoing = Undo(body, retry, min(limit, 600_000), queue)
            needs, _ = parameters(body)
            own = {*self.spec.gives, "ref"}
            # An undo also runs for an attempt that never returned, so nothing that the step gives may be
            # needed.
            unsafe = [name for name in needs if name in own]
            if unsafe:
                raise PlanError(f"The undo of {self.spec.title} needs a default for {', '.join(unsafe)}")
            self.spec = replace(self.spec, undo_needs=needs, undoable=True)
            return body

        return declare if body is None else declare(body)

    def observe(self, body: Body) -> Body:
        """Declare how to find out, after a lost attempt, whether it took effect."""
        self.observing = body
        return body

    def poll(self, body: Body) -> Body:
        """Declare how to ask an operation how far it is: `Again`, a result, or an error."""
        self.polling = body
        return body

    def abort(self, body: Body) -> Body:
        """Declare how to stop an operation that is under way."""
        self.aborting = body
        self.spec = replace(self.spec, undoable=True)
        return body


@overload
def step(body: Body) -> Step: ...


@overload
def step(
    *,
    gives: tuple[str, ...] | str = ...,
    retry: Backoff | None = ...,
    timeout: str | int = ...,
    queue: str = ...,
    at_most_once: bool = ...,
    alone: bool = ...,
    effect: Effect = ...,
) -> Callable[[Body], Step]: ...


def step(
    body: Body | None = None,
    *,
    gives: tuple[str, ...] | str = (),
    retry: Backoff | None = None,
    timeout: str | int = "1m",
    queue: str = "default",
    at_most_once: bool = False,
    alone: bool = False,
    effect: Effect = True,
) -> Step | Callable[[Body], Step]:
    """Declare a step: a function of a context and named values that reaches a state and reports."""

    def declare(body: Body) -> Step:
        policy = retry or backoff("1s", limit=3)
        spec = _spec(body, "task", gives, timeout, queue, alone)
        return Step(
            body, spec=spec, retry=policy, at_most_once=at_most_once, poll_every=policy, effect=effect
        )

    return declare if body is None else declare(body)


def operation(
    *,
    gives: tuple[str, ...] | str = (),
    retry: Backoff | None = None,
    timeout: str | int,
    queue: str = "default",
    every: Backoff | None = None,
    effect: Effect = True,
    begin: str | None = None,
    usual: str | int | None = None,
) -> Callable[[Body], Step]:
    """Declare a long external operation: the function starts it and returns a reference, `poll` follows.

    ``usual`` is how long it takes usually, as progress expects it until runs have shown it.
    ``begin`` names the step before it at which a repetition has to begin, when it has failed.
    """

    def declare(body: Body) -> Step:
        spec = replace(_spec(body, "operation", gives, timeout, queue, True), begin=begin)
        pace = every or backoff("5s", factor=1.5, cap="60s", limit=0, jitter=False)
        policy = retry or backoff("1s", limit=3)
        expected = spec.timeout_ms // 6 if usual is None else duration_ms(usual)
        return Step(
            body,
            spec=spec,
            retry=policy,
            at_most_once=False,
            poll_every=pace,
            effect=effect,
            expected_ms=expected,
        )

    return declare


@cache
def parameters(body: Body) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names a body needs and all the names it takes, its context left out."""
    found = list(inspect.signature(body).parameters.values())[1:]
    needs = tuple(p.name for p in found if p.default is inspect.Parameter.empty)
    return needs, tuple(p.name for p in found)


def call(body: Body, ctx: object, known: Mapping[str, object]) -> Any:
    """Call a body with the values whose names it asks for; a missing one is a permanent failure."""
    needs, takes = parameters(body)
    missing = [name for name in needs if name not in known]
    if missing:
        raise Permanent(f"{body.__name__} needs {', '.join(missing)}, which the run does not have")
    return body(ctx, **{name: known[name] for name in takes if name in known})


def result_of(spec: StepSpec, value: object) -> dict[str, object]:
    """What a body returned as the step's result; a promised key that is missing is a permanent failure."""
    result = {} if value is None else value
    if not isinstance(result, dict):
        raise Permanent(f"{spec.title} returned {type(value).__name__}; a step returns a dict or nothing")
    missing = [name for name in spec.gives if name not in result]
    if missing:
        raise Permanent(f"{spec.title} promised {', '.join(missing)} and did not return it")
    return result


def _spec(
    body: Body, kind: Kind, gives: tuple[str, ...] | str, timeout: str | int, queue: str, alone: bool
) -> StepSpec:
    needs, takes = parameters(body)
    module = body.__module__.removeprefix("tasks.")
    return StepSpec(
        name=f"{module}.{body.__name__}",
        needs=needs,
        takes=takes,
        gives=(gives,) if isinstance(gives, str) else gives,
        kind=kind,
        queue=queue,
        timeout_ms=duration_ms(timeout),
        alone=alone,
    )
