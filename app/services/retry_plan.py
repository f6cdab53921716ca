"""What a retry would do: it is done in a transaction that is rolled back, and nothing is published."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.auth import codesecrets
from app.auth.keys import Principal
from app.domain.ids import new_id
from app.domain.states import StepOutcome, StepStatus
from app.engine.transitions import retry as retrying
from app.record.runs import locks, runs
from app.record.session import Tx
from app.services import authority
from app.services.context import AppContext
from app.services.runs import check_where
from tasks.step import REGISTRY

Row = Mapping[str, Any]
HAPPENED = (StepOutcome.DONE, StepOutcome.UNKNOWN)


class _TakenBack(Exception):
    """Ends the part of the transaction that is not to stay."""


def preview(
    world: AppContext,
    principal: Principal,
    run_id: str,
    from_step: str | None = None,
    from_: str | None = None,
    input: Mapping[str, object] | None = None,
    reason: str | None = None,
) -> Row:
    """The plan of a retry; refused where the retry would be."""
    fresh = new_id("run")

    check_where(from_step, from_)

    def work(tx: Tx) -> Row:
        old = runs.read_run(tx, run_id)
        if old is not None:
            authority.check_run(principal, old)
        before = runs.all_steps(tx, run_id)
        made: Sequence[Row] = []
        try:
            with tx.savepoint():
                retrying.retry(
                    tx,
                    run_id,
                    fresh,
                    principal.actor,
                    from_step=from_step,
                    earliest=from_ == "earliest",
                    edited=input,
                    reason=reason,
                    seal=lambda text: codesecrets.seal(world.sealer, text),
                )
                made = [*runs.all_steps(tx, fresh)]
                new = runs.read_run(tx, fresh)
                raise _TakenBack
        except _TakenBack:
            return _shown(tx, new or {}, made, before)

    return world.db.write(work)


def _shown(tx: Tx, new: Row, made: Sequence[Row], before: Sequence[Row]) -> Row:
    was = {row["key"]: row for row in before if row["phase"] == "forward"}
    forward = [row for row in made if row["phase"] == "forward"]
    again = [row for row in forward if row["status"] != StepStatus.SKIPPED]
    resource = f"{new['resource_type']}/{new['resource_id']}" if new["resource_id"] else None
    held = locks.holder(tx, resource) if resource else None
    return {
        "type": new["type"],
        "resource": resource,
        "retryOf": new["retry_of"],
        "fromStep": new["from_step"],
        "onFailure": new["on_failure"],
        "steps": [_step(row) for row in again],
        "locks": [resource] if resource else [],
        "holders": {resource: held["run_id"]} if held and resource else {},
        "estimatedDurationMs": new["eta_ms"],
        "compensation": [row["key"] for row in reversed(forward) if row["undoable"]],
        "kept": [row["key"] for row in forward if row["status"] == StepStatus.SKIPPED],
        "runsAgain": [row["key"] for row in again if row["key"] in was],
        "wasUndone": _those(again, was, lambda old: old["compensated_at"] is not None),
        "repeatsEffect": _those(again, was, _has_effect),
    }


def _those(again: Sequence[Row], was: Mapping[str, Row], judge: Callable[[Row], bool]) -> list[str]:
    return [row["key"] for row in again if row["key"] in was and judge(was[row["key"]])]


def _has_effect(old: Row) -> bool:
    """Whether a step that is done once more did, or may have done, something that stands."""
    spec = REGISTRY.get(old["name"])
    acts = old["undoable"] or (spec is not None and spec.at_most_once)
    return bool(acts) and old["compensated_at"] is None and old["outcome"] in HAPPENED


def _step(row: Row) -> Row:
    spec = REGISTRY.get(row["name"])
    return {
        "key": row["key"],
        "name": row["key"] if spec is None else spec.spec.title,
        "kind": row["kind"],
        "queue": row["queue"],
        "timeoutMs": row["timeout_ms"],
        "undo": row["undoable"],
        "atMostOnce": spec is not None and spec.at_most_once,
    }
