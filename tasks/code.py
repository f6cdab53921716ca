"""The steps of code workflows: their bodies are functions of an author, found by the names in the rows."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.errors import StepError, StepTimedOut
from app.domain.policy import ONCE
from app.domain.states import STEP_DONE, StepStatus
from app.record.runs import runs
from tasks.context import Context
from tasks.step import step as declared
from windlass import attempt
from windlass.calls import Call, Info, Memo, StepOptions
from windlass.failures import rebuilt
from windlass.replay import find, resolve
from windlass.values import decode
from windlass.workflow import definition


class CallFailed(StepError):
    """An attempt of a function of an author has failed."""

    def __init__(self, facts: Mapping[str, Any], *, retryable: bool) -> None:
        super().__init__(facts["message"], **(facts.get("details") or {}))
        self.code = facts["code"]  # type: ignore[misc]
        self.retryable = retryable


@declared(retry=ONCE)
def main(ctx: Context) -> None:
    """Advances the function; see `app.worker.code.advance`."""


@declared(retry=ONCE)
def step(ctx: Context) -> None:
    """A call that is done by whoever advances the function; its row is for its result and its undo."""


@declared(retry=ONCE)
def call(
    ctx: Context,
    target: str | None = None,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    at_most_once: bool = False,
    retries: int = 0,
    beside: int | None = None,
) -> dict[str, object]:
    """One attempt of a call of ctx.parallel, made by whoever takes its message."""
    host = Member(ctx)
    if target is None:
        wanted = _found(ctx, host, beside)
    else:
        known = decode({"args": list(args), "kwargs": dict(kwargs or {})}, host.unseal)
        options = StepOptions(retries=retries, at_most_once=at_most_once)
        wanted = Call(name=ctx.step, key=ctx.step, kind="task", fn=resolve(target), options=options, **known)
    before = Memo(
        ordinal=0, key=ctx.step, kind="task", status="pending", attempt=ctx.tries - 1, unsure=ctx.unsure
    )
    return {"value": attempt.perform(wanted, before, host).value}


def _undo(
    ctx: Context,
    undo: str | None = None,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    value: object = None,
) -> None:
    if undo is not None:
        given = {"args": list(args), "kwargs": dict(kwargs or {})}
        attempt.undo(undo, given, value, Secrets(ctx).unseal)


step.undo(_undo)
call.undo(_undo)


@dataclass(frozen=True)
class Secrets:
    """Seals and opens for the workflow of one run."""

    ctx: Context

    def seal(self, text: str) -> str:
        """Text that may be stored in place of a secret."""
        return self.ctx.capabilities.seal(text)

    def unseal(self, text: str) -> str:
        """The secret that was sealed."""
        return self.ctx.capabilities.unseal(text)


class Member(Secrets):
    """The host of one attempt: the engine has claimed it, and keeps what it is told."""

    def begin(self, call: Call) -> int:
        """The number of the attempt that was claimed."""
        return self.ctx.tries

    def invoke(self, call: Call) -> object:
        """Run the body; the alarm of its claim is set."""
        assert call.fn is not None
        try:
            return call.fn(*call.args, **call.kwargs)
        except StepTimedOut as late:
            raise timed_out(call, late) from late

    def complete(self, call: Call, value: object) -> None:
        """What it gave is the step's result."""

    def fail(self, call: Call, error: Mapping[str, object], retry_in_ms: int | None) -> None:
        """Leave the further attempt, if there is to be one, to the engine."""
        raise CallFailed(error, retryable=retry_in_ms is not None)

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        """A step waits for nothing."""
        raise NotImplementedError

    def clock_ms(self) -> int:
        """Now, on this machine."""
        return time.time_ns() // 1_000_000


def timed_out(call: Call, late: StepTimedOut) -> Exception:
    """What the author is told of a body that took too long."""
    return rebuilt(call, {"code": StepTimedOut.code, "message": late.message})


def memo(row: Mapping[str, Any]) -> Memo:
    """What the function is told of a call."""
    status = "completed" if row["status"] in STEP_DONE else "pending"
    if row["status"] in (StepStatus.FAILED, StepStatus.CANCELLED):
        status = "failed"
    return Memo(
        ordinal=row["ordinal"],
        key=row["key"],
        kind=row["kind"],
        status=status,
        value=(row["output"] or {}).get("value"),
        error=row["error"],
        attempt=row["attempt"],
        unsure=bool(row["unsure"]) or (status == "pending" and row["outcome"] == "unknown"),
    )


def _found(ctx: Context, host: Member, beside: int | None) -> Call:
    """The call of a function that no name leads to: made again by calling the workflow up to it.

    Of history it needs what came before its ctx.parallel, not the members beside it.
    """
    run = ctx.db.read(lambda tx: runs.read_run(tx, ctx.run_id))
    rows = ctx.db.read(lambda tx: runs.calls(tx, ctx.run_id, before=beside))
    assert run is not None
    history = [memo(row) for row in rows]
    info = Info(
        run_id=ctx.run_id,
        parent_run_id=run["parent_run_id"],
        workflow=ctx.type,
        version=run["version"] or "",
    )
    function, given = definition(ctx.type, run["version"]), run["input"] or {}
    return find(function, given["args"], given["kwargs"], history, host, info, ctx.step)
