"""Random workflow programs: lists of operations, made by Hypothesis and worked off by one function."""

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from windlass import Context, StepFailed, workflow
from windlass.calls import Gone

ALWAYS = 99  # More failures than attempts.
Program = list[list[Any]]


class World:
    """What bodies do: how often each was run, and what they left."""

    def __init__(self) -> None:
        self.bodies: Counter[str] = Counter()
        self.died = 0  # Workers that were killed by a body,
        self.deaths: list[int] = []  # at these bodies: before their effect, when negative, or after it.
        self.undone: list[str] = []


WORLD = World()


def fresh() -> World:
    """A world in which nothing was done."""
    WORLD.__init__()  # type: ignore[misc]
    return WORLD


def body(name: str, fails: int = 0) -> str:
    """Fail so many times, then succeed; a body that a kill repeats fails one time less."""
    _die(-1)
    WORLD.bodies[name] += 1
    _die(1)
    if WORLD.bodies[name] <= fails:
        raise KeyError(name)
    return f"did {name}"


def _die(when: int) -> None:
    if WORLD.deaths and WORLD.deaths[0] * when == sum(WORLD.bodies.values()) + (when < 0):
        WORLD.deaths.pop(0)
        WORLD.died += 1
        raise Killed


class Killed(Gone):
    """The worker is gone, in the middle of a body."""


def undo(name: str, fails: int = 0, result: Any = None) -> None:
    """Take a step back."""
    WORLD.undone.append(name)


def work(ctx: Any, program: Program, place: str = "p") -> list[Any]:
    """Work a program off; what every operation gave."""
    return [_one(ctx, operation, f"{place}.{n}") for n, operation in enumerate(program)]


def _one(ctx: Any, operation: list[Any], place: str) -> Any:
    kind, *given = operation
    return OPERATIONS[kind](ctx, place, *given)


def _flaky(ctx: Any, place: str, fails: int, retries: int) -> Any:
    return ctx.step(place, body, place, fails, retries=retries, retry_delay="1m", undo=undo)


def _guarded(ctx: Any, place: str, program: Program) -> Any:
    try:
        return work(ctx, program, place)
    except KeyError as error:
        return f"caught {error}"


def _parallel(ctx: Any, place: str, fails: list[int], limit: int | None) -> Any:
    calls = [
        ctx.call(f"{place}/{n}", lambda n=n, fail=fail: body(f"{place}/{n}", fail), retries=1, retry_delay=0)
        for n, fail in enumerate(fails)
    ]
    results = ctx.parallel(calls, limit=limit, return_exceptions=True)
    return [str(each) if isinstance(each, StepFailed | KeyError) else each for each in results]


def _value(ctx: Any, place: str) -> bool:
    return bool(ctx.uuid() != ctx.uuid() and 0 <= ctx.random() < 1)


OPERATIONS: dict[str, Any] = {
    "step": lambda ctx, place: ctx.step("same name", body, place),
    "flaky": _flaky,
    "sleep": lambda ctx, place, s: ctx.sleep(f"{s}s"),
    "signal": lambda ctx, place: ctx.wait_for_signal("go"),
    "late": lambda ctx, place: ctx.wait_for_signal("never", timeout="1h", default="late"),
    "emit": lambda ctx, place: ctx.emit("told", place),
    "value": _value,
    "child": lambda ctx, place, program: ctx.run_child("program", program, place),
    "parallel": _parallel,
    "guarded": _guarded,
}


@workflow("program")
def run(ctx: Context, program: Program, place: str = "p") -> list[Any]:
    """Any program."""
    return work(ctx, program, place)


def programs() -> st.SearchStrategy[Program]:
    """Programs of up to eight operations, nested up to two levels deep."""
    flat = st.one_of(
        st.just(["step"]),
        st.sampled_from([["flaky", fails, 2] for fails in (0, 1, 2, ALWAYS)] + [["flaky", ALWAYS, 0]]),
        st.tuples(st.just("sleep"), st.integers(0, 9)).map(list),
        st.just(["late"]),
        st.just(["emit"]),
        st.just(["value"]),
        st.tuples(
            st.just("parallel"),
            st.lists(st.sampled_from([0, 1, ALWAYS]), max_size=4),
            st.sampled_from([None, 1, 2]),
        ).map(list),
    )
    inner = st.lists(flat, max_size=3)
    nested = st.tuples(st.sampled_from(["guarded", "child"]), inner).map(list)
    return st.lists(st.one_of(flat, st.just(["signal"]), nested), max_size=8)
