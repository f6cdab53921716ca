"""The steps of code workflows: their bodies are functions of an author, found by the names in the rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.errors import OutcomeUnknown, StepError
from app.domain.policy import ONCE
from app.domain.states import STEP_DONE, Step
from app.record import runs
from tasks.context import Context
from tasks.step import step as declared
from windlass import attempt
from windlass.calls import Info, Memo
from windlass.failures import NotStorable, facts_of
from windlass.replay import find, resolve
from windlass.values import decode, encode
from windlass.workflow import definition

Body = Callable[[], Any]


class CallFailed(StepError):
    """A function of an author has raised."""

    def __init__(self, error: BaseException) -> None:
        facts = facts_of(error)
        super().__init__(facts["message"], **facts["details"])
        self.code = facts["code"]  # type: ignore[misc]
        self.retryable = not isinstance(error, NotStorable)


@declared(retry=ONCE)
def main(ctx: Context) -> None:
    """Advances the function; see `app.engine.code.advance`."""


@declared(retry=ONCE)
def step(ctx: Context) -> None:
    """A call that is done by whoever advances the function; its row is for its result and its undo."""


@declared(retry=ONCE)
def call(
    ctx: Context,
    target: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    at_most_once: bool = False,
) -> dict[str, Any]:
    """A call of ctx.parallel, done by whoever takes its message."""
    if ctx.unsure and at_most_once:
        raise OutcomeUnknown(
            f"the worker was lost while {ctx.step} ran, and whether it took effect cannot be told; it is not "
            "repeated",
            type="windlass.failures:OutcomeUnknown",
        )
    secrets = Secrets(ctx)
    try:
        body = _body(ctx, secrets, target, {"args": list(args), "kwargs": dict(kwargs or {})})
        return {"value": encode(body(), f"the result of step {ctx.step!r}", secrets.seal)}
    except StepError:
        raise
    except (Exception, SystemExit) as error:  # A function of an author may raise anything.
        raise CallFailed(error) from error


def _undo(
    ctx: Context,
    undo: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    value: Any = None,
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
        return self.ctx.capabilities.seal(text, self.ctx.type)

    def unseal(self, text: str) -> str:
        """The secret that was sealed."""
        return self.ctx.capabilities.unseal(text, self.ctx.type)


def memo(row: Mapping[str, Any]) -> Memo:
    """What the function is told of a call."""
    status = "completed" if row["status"] in STEP_DONE else "pending"
    if row["status"] in (Step.FAILED, Step.CANCELLED):
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


def _body(ctx: Context, secrets: Secrets, target: str | None, given: Mapping[str, Any]) -> Body:
    if target is not None:
        fn, known = resolve(target), decode(dict(given), secrets.unseal)
        return lambda: fn(*known["args"], **known["kwargs"])
    made = _found(ctx, secrets)
    return lambda: made.fn(*made.args, **made.kwargs)


def _found(ctx: Context, secrets: Secrets) -> Any:
    """The call of a function that no name leads to: made again by calling the workflow up to it."""
    run = ctx.db.read(lambda tx: runs.read_run(tx, ctx.run_id))
    rows = ctx.db.read(lambda tx: runs.calls(tx, ctx.run_id))
    assert run is not None
    history = [memo(row) for row in rows]
    info = Info(
        run_id=ctx.run_id, parent_run_id=run["parent_run_id"], workflow=ctx.type, version=run["version"]
    )
    function, given = definition(ctx.type, run["version"]), run["input"] or {}
    return find(function, given["args"], given["kwargs"], history, secrets, info, ctx.step)  # type: ignore[arg-type]
