"""The code workflows of the benchmark: five steps in a row, as an author writes them."""

from tests.bench import body
from windlass import Context, workflow

STEPS = 5


def forget(run: str, place: int, ms: int) -> None:
    """Take a step back: there is nothing to take back, but the record has to know before the step begins."""


@workflow("bench-line")
def line(ctx: Context, ms: int) -> None:
    """Five plain steps."""
    for place in range(1, STEPS + 1):
        ctx.step("work", body.work, ctx.run_id, place, ms)


@workflow("bench-line-undo")
def line_undo(ctx: Context, ms: int) -> None:
    """Five steps that can be taken back."""
    for place in range(1, STEPS + 1):
        ctx.step("work", body.work, ctx.run_id, place, ms, undo=forget)


@workflow("bench-wait")
def waiter(ctx: Context) -> None:
    """A step after a signal."""
    ctx.wait_for_signal("go")
    ctx.step("work", body.work, ctx.run_id, 1, 0)


@workflow("bench-sleep")
def sleeper(ctx: Context) -> None:
    """Longer asleep than any measurement lasts."""
    ctx.sleep("24h")


@workflow("bench-long")
def long(ctx: Context, steps: int) -> None:
    """Many steps before a signal that does not come."""
    for place in range(steps):
        ctx.step("work", body.work, ctx.run_id, place, 0)
    ctx.wait_for_signal("never")
