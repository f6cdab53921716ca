"""From plans to rows, and what a line of rows knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.json import JsonObject
from app.domain.plan import PlannedStep
from app.domain.restart import back_to
from app.domain.rows import picked
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import STEP_DONE, StepOutcome, StepStatus
from chains import catalogue


def afresh(*, unsure: bool) -> StepRow:
    """What an operator's resume gives a failed step: its attempts count anew."""
    return {
        "tries": 0,
        "lost": 0,
        "first_started_at": None,
        "deadline_at": None,
        "completed_at": None,
        "unsure": unsure,
    }


def begins(line: Sequence[Mapping[str, Any]], key: str) -> str:
    """The step at which a repetition of this one has to begin; itself, for nearly all."""
    name = next((row["name"] for row in line if row["key"] == key), None)
    if name is None or name not in catalogue.step_names():
        return key
    titles = {row["key"]: str(row["name"]).rpartition(".")[2].replace("_", "-") for row in line}
    return back_to(key, list(titles), titles, catalogue.step_named(name).spec.begin)


def step_row(run_id: str, row: PlannedStep, *, phase: str = "forward", undoes: str | None = None) -> StepRow:
    """A planned step as the row to insert."""
    return {
        "run_id": run_id,
        "phase": phase,
        "key": row.key,
        "ordinal": row.ordinal,
        "name": row.name,
        "kind": row.kind,
        "queue": row.queue,
        "branch": row.branch,
        "status": str(StepStatus.PENDING),
        "given": dict(row.values) or None,
        "output": None,
        "timeout_ms": row.timeout_ms,
        "alone": row.alone,
        "undoable": row.undoable,
        "attempt": 0,
        "tries": 0,
        "lost": 0,
        "fence": 0,
        "gen": 0,
        "polls": 0,
        "pending": 0,
        "succeeded": 0,
        "failures": 0,
        "outcome": StepOutcome.NONE,
        "unsure": False,
        "undoes": undoes,
        "reused_from": None,
    }


def plan_facts(row: StepRow) -> dict[str, Any]:
    """What the log keeps of a step that is planned."""
    facts: JsonObject = picked(row, ("phase", "key", "name", "kind", "ordinal", "branch", "undoable"))
    extra = {name: value for name, value in picked(row, ("reused_from", "undoes")).items() if value}
    if row["reused_from"]:
        # The log of a retry says what it inherited: the old run may be deleted before this one is folded.
        extra["output"] = row["output"]
    if row["status"] != StepStatus.PENDING:
        extra["status"] = row["status"]
    if row["outcome"] != StepOutcome.NONE:
        extra["outcome"] = row["outcome"]
    return {**facts, **extra}


def waits_for(step: StepRow) -> dict[str, Any]:
    """What a run says that it waits for when only this step is left, which is due again at ``retry_at``."""
    if step["kind"] == "code":
        return dict((step["given"] or {}).get("waits") or {})
    due = {"step": step["key"], "until": step["retry_at"]}
    if step["status"] == StepStatus.RETRY_WAIT:
        return {"kind": "timer", **due, "attempt": step["attempt"], "error": step["error"]}
    return {"kind": "poll", **due, "deadline": step["deadline_at"], "progress": step["progress"]}


def known_values(run: RunRow, line: Sequence[StepRow], until: int | None = None) -> dict[str, Any]:
    """What a step may ask for by name: the run's input, then the results of the steps before it."""
    known = dict(run["input"] or {})
    for row in line:
        if until is not None and row["ordinal"] >= until:
            break
        if row["status"] in STEP_DONE and row["output"]:
            known.update(row["output"])
    return known


def collected(rows: Sequence[StepRow]) -> dict[str, Any]:
    """The results of steps by name, later ones winning."""
    output: dict[str, Any] = {}
    for row in rows:
        if row["status"] in STEP_DONE:
            output.update(row["output"] or {})
    return output
