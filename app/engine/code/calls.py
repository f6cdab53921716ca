"""The rows of a code workflow: its main step, and one for each call of the function."""

from typing import Any, Unpack

from app.domain.plan import PlannedStep, segments
from app.domain.rows.runs import StepRow
from app.engine.transitions.advance import CALL
from app.engine.transitions.journal import MAIN, Journal, RunMessage, planned
from app.engine.transitions.step_rows import step_row
from windlass.calls import Call

ADVANCE = "code.main"
INLINE = "code.step"  # A step that the function's own worker does.
YIELD_S = 60.0  # An advance that took longer goes on in a message of its own.


_BLANK: StepRow = {
    "error": None,
    "first_started_at": None,
    "started_at": None,
    "completed_at": None,
    "retry_at": None,
    "ref": None,
    "expect_since": None,
}


def main_row(run_id: str, queue: str, step_timeout_ms: int) -> StepRow:
    """The step that advances the function."""
    planned_ = PlannedStep(
        key=MAIN,
        name=ADVANCE,
        ordinal=0,
        kind="code",
        queue=queue,
        timeout_ms=round(YIELD_S * 1000) + step_timeout_ms,
        alone=True,
    )
    return step_row(run_id, planned_)


def call_row(main: StepRow, call: Call, *, beside: int | None = None, **changes: Unpack[StepRow]) -> StepRow:
    """A call as a step; ``beside``: a member of the ctx.parallel that begins at this ordinal."""
    kind: Any = call.kind
    apart = beside is not None
    # A call beside others has a message and a claim of its own; an inline one is done by the worker that has
    # claimed ``main``, under that claim's fence.
    name = CALL if apart else INLINE if call.kind == "task" else f"code.{call.kind}"
    planned_ = PlannedStep(
        key=call.key,
        name=name,
        ordinal=call.ordinal,
        kind=kind,
        queue=main["queue"],
        branch=f"{MAIN}/{call.ordinal}",
        values=_given(call, beside),
        timeout_ms=call.options.timeout_ms or main["timeout_ms"],
        alone=True,
        undoable=call.options.undo is not None,
    )
    return {**step_row(main["run_id"], planned_), **_BLANK, **changes}


def enqueue_new(j: Journal, row: StepRow) -> None:
    """Expect a message for a call that is about to be inserted."""
    # `Journal.enqueue` would change a row that is not there yet.
    row.update({"gen": 1, "expect_since": j.now})
    carried = tuple(segments([planned(row)]))
    run_message = RunMessage(run_id=j.id, type=j.run["type"], phase="forward", gen=1, segments=carried)
    j.messages.append(run_message)


def _given(call: Call, beside: int | None) -> dict[str, Any]:
    if call.kind != "task":
        return dict(call.wait)
    if beside is None and call.options.undo is None:
        return {}
    options = call.options
    return {
        "target": call.target,
        **(call.input or {}),
        "undo": options.undo,
        "retries": options.retries,
        "retry_delay_ms": options.retry_delay_ms,
        "at_most_once": options.at_most_once,
        **({"beside": beside} if call.target is None and beside is not None else {}),
    }
