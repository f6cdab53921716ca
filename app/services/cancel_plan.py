"""What a cancel would do to a run as it is now; changes nothing."""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain.errors import InvalidStateTransition, NotFound
from app.domain.states import TERMINAL, StepStatus
from app.engine.transitions.compensate import MAY_HAVE_HAPPENED
from app.record.runs import locks, runs
from app.record.session import Tx
from app.services import authority
from app.services.context import AppContext
from chains import catalogue

Row = Mapping[str, Any]
MODES = ("graceful", "abandon", "kill")


def preview(
    world: AppContext, principal: Principal, run_id: str, mode: str = "graceful", reason: str | None = None
) -> dict[str, object]:
    """The plan of a cancel; refused where the cancel would be."""

    def look(tx: Tx) -> dict[str, object]:
        run = runs.read_run(tx, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        authority.check_run(principal, run)
        if run["status"] in TERMINAL:
            said = f"The run has ended already: it is {run['status']}"
            raise InvalidStateTransition(said, current=run["status"])
        held = [one["resource"] for one in locks.held_by(tx, run_id)]
        return _plan(run, runs.all_steps(tx, run_id), held, mode)

    return world.db.read(look)


def _plan(run: Row, steps: list[Any], held: list[str], mode: str) -> dict[str, object]:
    forward = [row for row in steps if row["phase"] == "forward" and row["kind"] != "code"]
    running = [row for row in forward if row["status"] == StepStatus.RUNNING]
    stands = [row for row in forward if _may_stand(row) or row in running]
    undone = [] if mode == "abandon" else [row["key"] for row in reversed(stands) if row["undoable"]]
    return {
        "runId": run["id"],
        "type": run["type"],
        "mode": mode,
        "finishes": [row["key"] for row in running] if mode != "kill" else [],
        "killed": [row["key"] for row in running] if mode == "kill" else [],
        "undone": undone,
        "stays": [row["key"] for row in stands if row["key"] not in undone and _acts(run, row)],
        "neverStarts": [row["key"] for row in forward if row["status"] == StepStatus.PENDING],
        "locks": held,
    }


def _may_stand(row: Row) -> bool:
    return row["outcome"] in MAY_HAVE_HAPPENED and row["compensated_at"] is None


def _acts(run: Row, row: Row) -> bool:
    """Whether the step does something outside that is worth a word."""
    return bool(row["undoable"]) or catalogue.has_effect(row["name"], {**(run["input"] or {})})
