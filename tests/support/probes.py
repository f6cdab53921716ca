"""Workflow types for tests of the engine: steps that note what they did, and fail on demand."""

import os
import resource
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from marshmallow import INCLUDE, Schema

from app.domain.errors import Permanent, StepError
from app.domain.plan import Plan, each
from app.domain.policy import ALL, ANY, COLLECT, backoff, n_of_m
from chains.catalogue import workflow
from tasks.step import Again, Happened, NothingHappened, operation, step

DONE: list[str] = []  # What bodies did, in order.
BEFORE: dict[str, Callable[[Any], Any]] = {}  # What happens inside a body before it does anything.


def reset() -> None:
    """Forget what earlier tests did and wished."""
    for kept in (DONE, SEEN, POLLS):
        kept.clear()
    BEFORE.clear()


def note(ctx: Any, what: str) -> None:
    """A body ran: note it, and do what the test wants to happen there."""
    DONE.append(what)
    trouble = BEFORE.get(what)
    if trouble is not None:
        trouble(ctx)


def fails(times: int = 10**9, error: type[StepError] = Permanent) -> Callable[[Any], None]:
    """Trouble that raises so many times."""
    left = [times]

    def raise_(_ctx: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error("told to fail")

    return raise_


@step(gives="first_done", retry=backoff("1s", limit=3))
def first(ctx: Any) -> dict[str, Any]:
    """The first step."""
    note(ctx, "first")
    return {"first_done": ctx.attempt}


@first.undo
def undo_first(ctx: Any, first_done: Any = None) -> None:
    """Back from the first step."""
    note(ctx, "undo first")


@step(gives="second_done", retry=backoff("1s", limit=3))
def second(ctx: Any, first_done: Any) -> dict[str, Any]:
    """Needs the first one's result."""
    note(ctx, "second")
    return {"second_done": first_done}


@second.undo
def undo_second(ctx: Any) -> None:
    """Back from the second step."""
    note(ctx, "undo second")


@step(queue="bmc", retry=backoff("1s", limit=3))
def third(ctx: Any) -> None:
    """On another queue, so in a link of its own."""
    note(ctx, "third")


@third.undo
def undo_third(ctx: Any) -> None:
    """Back from the third step."""
    note(ctx, "undo third")


@step(at_most_once=True, alone=True)
def once(ctx: Any) -> None:
    """Must never be sent twice."""
    note(ctx, "once")


SEEN: list[Any] = []  # What `once` observes, by the test's wish.


@once.observe
def once_seen(ctx: Any) -> Happened | NothingHappened | None:
    """What the test gives; an error is raised."""
    seen = SEEN[-1] if SEEN else None
    if isinstance(seen, Exception):
        raise seen
    return seen


@operation(gives="job_done", timeout="10m", every=backoff("5s", limit=0, jitter=False))
def job(ctx: Any) -> dict[str, Any]:
    """A long operation."""
    note(ctx, "job")
    return {"job": 1}


POLLS: list[Again] = []  # What polls return, in order; then it is done.


@job.poll
def job_poll(ctx: Any, ref: Any, called: Any = None) -> Again | dict[str, Any]:
    """How far the job is."""
    note(ctx, "poll")
    if called is None and POLLS:
        return POLLS.pop(0)
    return {"job_done": called or "polled"}


@job.abort
def job_abort(ctx: Any, ref: Any = None) -> None:
    """Stop the job."""
    note(ctx, "abort job")


@step(gives="report")
def visit(ctx: Any, item: Any) -> dict[str, Any]:
    """One item of a map."""
    note(ctx, f"visit {item}")
    return {"report": f"seen {item}"}


@visit.undo
def unvisit(ctx: Any, item: Any) -> None:
    """Back from a visit."""
    note(ctx, f"unvisit {item}")


class Anything(Schema):
    """Any input."""

    class Meta:
        """Unknown names are kept."""

        unknown = INCLUDE


@workflow("probe.line", scope="runs:write")
def line(_given: Mapping[str, Any]) -> Plan:
    """Three steps, two links."""
    return first() | second() | third()


@workflow("probe.short", scope="runs:write")
def short(_given: Mapping[str, Any]) -> Plan:
    """Two steps in one link."""
    return first() | second()


@workflow("probe.locked", resource="probe")
def locked(_given: Mapping[str, Any]) -> Plan:
    """Three steps on a resource."""
    return first() | second() | third()


@workflow("probe.once", scope="runs:write")
def at_most_once(_given: Mapping[str, Any]) -> Plan:
    """A step that must not be repeated, between two others."""
    return first() | once() | third()


@workflow("probe.job", scope="runs:write")
def long_job(_given: Mapping[str, Any]) -> Plan:
    """An operation between two steps."""
    return first() | job() | third()


@workflow("probe.group", scope="runs:write")
def group(_given: Mapping[str, Any]) -> Plan:
    """Two branches at the same time, then one more step."""
    return first() | (second() & (third() | visit(item="x"))) | visit(item="y")


KEPT: list[int] = []  # Descriptors that are never closed.


@step(gives="pid")
def greedy(ctx: Any) -> dict[str, Any]:
    """Opens files until its process may open no more, and keeps them; returns the process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with suppress(OSError):
        while True:
            KEPT.append(os.open(os.devnull, os.O_RDONLY))
    return {"pid": os.getpid()}


@workflow("probe.greedy", scope="runs:write")
def greedily(_given: Mapping[str, Any]) -> Plan:
    """A step that leaves its process without descriptors."""
    return greedy()


JOINS = {"all": ALL, "any": ANY, "collect": COLLECT, "two": n_of_m(2)}


@workflow("probe.map", scope="runs:write", expects=Anything)
def mapped(given: Mapping[str, Any]) -> Plan:
    """One visit for each item, joined and limited as the input demands."""
    join, limit = JOINS[given.get("join", "all")], given.get("limit")
    fan = each("items", "item", visit(), gives="reports", join=join, limit=limit)
    return first() | fan | third()


@workflow("probe.jobs", scope="runs:write", expects=Anything)
def jobs(_given: Mapping[str, Any]) -> Plan:
    """One operation for each item."""
    return each("items", "item", job(), gives="reports", join=COLLECT)


@step(gives="never")
def promising(ctx: Any) -> None:
    """Promises what it does not return."""
    note(ctx, "promising")


@workflow("probe.broken", scope="runs:write")
def broken(_given: Mapping[str, Any]) -> Plan:
    """A step that does not keep its promise."""
    return promising()


@step(retry=backoff("1h", limit=0))
def hesitating(ctx: Any) -> None:
    """Never gets anything done."""
    raise StepError("not yet")


@workflow("probe.shaky", scope="runs:write")
def shaky(_given: Mapping[str, Any]) -> Plan:
    """A step that is tried again."""
    return hesitating()


@workflow("probe.mix", scope="runs:write", expects=Anything)
def mix(given: Mapping[str, Any]) -> Plan:
    """An operation beside other branches, joined as the input demands."""
    fan = job() & (visit(item=1) | third()) & (once() | visit(item=2))
    return first() | fan.joined(JOINS[given["join"]], given["limit"]) | second()


@workflow("probe.pairs", scope="runs:write", expects=Anything)
def pairs(given: Mapping[str, Any]) -> Plan:
    """Two steps for each item."""
    body = visit() | third()
    fan = each("items", "item", body, gives="reports", join=JOINS[given["join"]], limit=given["limit"])
    return first() | fan | second()
