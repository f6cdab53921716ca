"""The steps of a batch itself: its graph, whose undo is a rollback, and the verdict on items."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.errors import Permanent, StepError
from app.domain.policy import backoff
from tasks.context import Context
from tasks.step import step

UNTIL_ENDED = backoff("2s", factor=1.5, cap="30s", limit=0)  # Its end is told, unless that is lost.
NAMED = 5  # Failed items that an error names.


class NotUndoneYet(StepError):
    """The rollback of the batch has not ended."""

    code = "ROLLBACK_RUNS"


@step
def operations(ctx: Context) -> None:
    """The graph: it has no body, since its operations are runs of their own."""
    raise Permanent(f"{ctx.step} is a graph and has no body")


@operations.undo(retry=UNTIL_ENDED)
def roll_back(ctx: Context, batch_id: str) -> None:
    """A linked run undoes what the batch made; how that ended is told by the batch."""
    if not ctx.capabilities.children.roll_back(batch_id):
        raise NotUndoneYet(f"The rollback of {batch_id} has not ended")


@step
def removals(ctx: Context) -> None:
    """The graph of a rollback; there is no way back from it."""
    raise Permanent(f"{ctx.step} is a graph and has no body")


@step(gives=("created", "kept"))
def judge(ctx: Context, results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Fail when an item failed; all have been tried."""
    failed = [(at, one["error"]) for at, one in enumerate(results) if one.get("error")]
    if failed:
        raise _failure(failed, len(results))
    effects = [one.get("effect") for one in results]
    return {"created": effects.count("created"), "kept": effects.count("kept")}


def _failure(failed: Sequence[tuple[int, Mapping[str, object]]], total: int) -> Permanent:
    told = "; ".join(str(error.get("message")) for _at, error in failed[:NAMED])
    more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    error = Permanent(f"{len(failed)} of {total} items failed: {told}{more}", failed=len(failed))
    error.code = str(failed[0][1].get("code") or "STEP_FAILED")  # type: ignore[misc]
    return error
