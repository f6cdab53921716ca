"""The workflow types of the chaos workload: five steps of 0 to 50 ms whose every effect the ledger has seen.

What a run does is in its input: which step fails, how often, how; so a checker that knows the input knows
what the ledger must hold. `by` in a result is the fence that the step really had. `trail` hands the numbers
of the steps from one to the next: its end shows that all came in order.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, fields

from app.domain.errors import Permanent, StepError
from app.domain.plan import Plan, each
from app.domain.policy import ALL, ANY, COLLECT, backoff, n_of_m
from chains.catalogue import workflow
from tasks.step import Again, Happened, NothingHappened, Step, operation, step
from tests.chaos.ledger import Effect, here

SOON = backoff("100ms", limit=6, cap="1s")
STUBBORN = backoff("200ms", limit=40, cap="2s")
NOBODY = "nobody"  # A queue without workers.
JOINS = {"all": ALL, "any": ANY, "collect": COLLECT, "two": n_of_m(2)}


class Given(Schema):
    """What a run has to do; by default it completes."""

    order = fields.Integer(load_default=0)  # The number that the client gave it.
    pace = fields.Integer(load_default=0)  # Milliseconds that a step takes.
    fails = fields.Integer(load_default=0)  # The step that fails for good, after its effect; 0 for none.
    clean = fields.Boolean(load_default=False)  # It fails before it had an effect, and reports that.
    shaky = fields.Integer(load_default=0)  # The step whose first attempts fail, after their effect.
    times = fields.Integer(load_default=1)  # How many attempts, of that step and of every undo, fail.
    stiff = fields.Boolean(load_default=False)  # Whether the undos fail as often.
    items = fields.List(fields.Integer(), load_default=list)  # Members of a map.
    lame = fields.Integer(load_default=-1)  # The member that fails for good.
    join = fields.String(load_default="all")
    limit = fields.Integer(load_default=None, allow_none=True)
    polls = fields.Integer(load_default=1)  # How often an operation is asked before it is done.
    hook = fields.Boolean(load_default=False)  # Whether the operation waits for its hook to be called.
    how = fields.String(load_default="kill")  # How a poisoned step ends its process, or spoils its result.
    blind = fields.Boolean(load_default=False)  # Whether it cannot be observed what a lost attempt did.
    trail = fields.List(fields.Integer(), load_default=list)


def note(ctx: Any, effect: str, value: Any = None) -> None:
    """Something happens outside, once for each call."""
    here().write(
        Effect(
            operation=ctx.operation_id,
            effect=effect,
            fence=ctx.fence,
            attempt=ctx.attempt,
            pid=os.getpid(),
            value=value,
        )
    )


def seen(ctx: Any, effect: str) -> bool:
    """Whether the outside world knows of this effect of the step, under any fence."""
    return any(one.effect == effect for one in here().of(ctx.operation_id))


def work(ctx: Any, pace: int, effect: str, value: Any = None) -> None:
    """Take a while, with the effect in the middle, so that a kill hits before, between and after."""
    _rest(pace)
    note(ctx, effect, value)
    _rest(pace)


def _rest(pace: int) -> None:
    if pace:
        threading.Event().wait(pace / 2000)


def _stumble(ctx: Any, times: int) -> None:
    if ctx.attempt <= times:
        raise StepError(f"told to fail {times} times")


def numbered(name: str, number: int, *, queue: str = "default", observed: bool = False) -> Step:
    """One of the five steps of a line, with its undo and, if wished, an observation after a lost attempt."""

    def body(
        ctx: Any, trail: Any, pace: Any, fails: Any, clean: Any, shaky: Any, times: Any
    ) -> dict[str, Any]:
        if fails == number and clean:
            raise Permanent("told to fail before anything happened", nothing_happened=True)
        work(ctx, pace, "did", number)
        if shaky == number:
            _stumble(ctx, times)
        if fails == number:
            raise Permanent("told to fail")
        return {"trail": [*trail, number], "by": ctx.fence}

    def undo(ctx: Any, pace: Any, stiff: Any, times: Any) -> None:
        if stiff:
            _stumble(ctx, times)
        work(ctx, pace, "undid", number)

    def observe(ctx: Any, trail: Any, fails: Any, shaky: Any) -> Happened | NothingHappened:
        expected = number not in (fails, shaky)  # What has to fail must be done again to fail.
        return Happened({"trail": [*trail, number]}) if expected and seen(ctx, "did") else NothingHappened()

    body.__name__, body.__doc__ = name, f"Step {number} of a line."
    made = step(gives="trail", retry=SOON, queue=queue)(body)
    made.undo(retry=STUBBORN)(undo)
    if observed:
        made.observe(observe)
    return made


one, two = numbered("one", 1), numbered("two", 2)
three = numbered("three", 3, queue="bmc", observed=True)
four, five = numbered("four", 4, observed=True), numbered("five", 5)
long, unserved = numbered("long", 1), numbered("unserved", 1, queue=NOBODY)


@step(gives="report", retry=SOON)
def visit(ctx: Any, item: Any, pace: Any, lame: Any) -> dict[str, Any]:
    """One member of a fan-out."""
    work(ctx, pace, "did", item)
    if lame == item:
        raise Permanent("told to fail")
    return {"report": item, "by": ctx.fence}


@visit.undo(retry=STUBBORN)
def unvisit(ctx: Any, item: Any) -> None:
    """Back from a visit."""
    note(ctx, "undid", item)


@operation(
    gives="job_done", timeout="3m", every=backoff("300ms", factor=1.0, limit=0, jitter=False), retry=SOON
)
def job(ctx: Any, hook: Any) -> dict[str, Any]:
    """A long operation outside; the place that asks for a call of its hook is the ledger."""
    note(ctx, "began", ctx.hook() if hook else None)
    return {"asked": 0}


@job.poll
def job_poll(ctx: Any, ref: Any, polls: Any, hook: Any, called: Any = None) -> Again | dict[str, Any]:
    """How far the job is: done when called, or when it was asked often enough."""
    note(ctx, "asked")
    asked = sum(one.effect == "asked" for one in here().of(ctx.operation_id))
    if called is None and (hook or asked < polls):
        return Again(f"asked {asked} times")
    note(ctx, "did")
    return {"job_done": called or {"asked": asked}}


@job.abort
def job_abort(ctx: Any, ref: Any = None) -> None:
    """Stop the job."""
    note(ctx, "aborted")


@job.undo(retry=STUBBORN)
def job_undo(ctx: Any) -> None:
    """Back from the job, whether it was done, under way or never began."""
    note(ctx, "undid")


@step(at_most_once=True, alone=True)
def once(ctx: Any, pace: Any) -> None:
    """An order that must never be sent twice, guarded as a machine's hard reset is."""
    with ctx.before_order():
        pass
    work(ctx, pace, "did")


@once.observe
def once_seen(ctx: Any, blind: Any) -> Happened | NothingHappened | None:
    """Whether it was sent, which a blind one cannot see; what was about to be sent may come yet."""
    note(ctx, "observed")
    if not blind and seen(ctx, "did"):
        return Happened()
    return None if ctx.may_have_ordered() else NothingHappened()


def _endless() -> Any:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def _shout() -> Any:
    raise ValueError("x" * 10_000_000)


POISONS: Mapping[str, Callable[[], Any]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "vanish": lambda: os._exit(0),
    "exit": lambda: sys.exit(3),
    "huge": lambda: {"report": "x" * 10_000_000},
    "strange": lambda: {"report": object()},
    "endless": lambda: {"report": _endless()},
    "word": lambda: "not a dict",
    "shout": _shout,
}
DEADLY = ("kill", "segfault", "vanish")  # The poisons that take the process along.


@step(retry=SOON)
def poison(ctx: Any, how: Any) -> Any:
    """Kills the process that runs it, or gives it something that cannot be stored."""
    note(ctx, "died" if how in DEADLY else "did")
    return POISONS[how]()


@poison.undo(retry=STUBBORN)
def unpoison(ctx: Any) -> None:
    """Back from the poison."""
    note(ctx, "undid")


def declare(name: str, plan: Callable[[Mapping[str, Any]], Plan], resource: str | None = None) -> None:
    """A type of the workload."""
    plan.__doc__ = f"Chaos: {name}."
    workflow(f"chaos.{name}", expects=Given, resource=resource, eta="5s")(plan)


def _mapped(given: Mapping[str, Any]) -> Plan:
    fan = each(
        "items",
        "item",
        visit(),
        gives="reports",
        join=JOINS[given.get("join", "all")],
        limit=given.get("limit"),
    )
    return one() | two() | fan | four() | five()


def _group(given: Mapping[str, Any]) -> Plan:
    fan = visit(item=1) & (visit(item=2) | visit(item=3)) & visit(item=4)
    return one() | fan.joined(JOINS[given.get("join", "all")], given.get("limit")) | five()


declare("line", lambda _given: one() | two() | three() | four() | five())
declare("fused", lambda _given: one() | two() | four() | five() | visit(item=0))
declare("group", _group)
declare("map", _mapped)
declare("job", lambda _given: one() | two() | job() | four() | five())
declare("locked", lambda _given: one() | two() | three() | four() | five(), resource="site")
declare("once", lambda _given: one() | two() | once() | four() | five())
declare("poison", lambda _given: one() | two() | three() | poison() | five())
declare("long", lambda _given: long())
declare("unserved", lambda _given: unserved())
