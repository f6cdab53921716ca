"""Retry of a code workflow: a new run reuses calls of the old one (contracts/runs.rst#cancel-and-retry)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from app.domain.errors import ValidationFailed
from app.domain.restart import begin_at
from app.domain.rows import picked
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import STEP_DONE, RunStatus, StepOutcome, StepStatus
from app.engine.code import signals
from app.engine.code.start import CodeOrder, Seal, new_run, sealed_order
from app.engine.transitions.accept import NewRun
from app.engine.transitions.journal import MAIN, Journal
from app.record.runs import hooks
from app.record.runs import signals as sent_signals
from app.record.runs.signals import sender_of
from app.record.service import definitions

KEPT = (  # What a call keeps in the new run.
    *("key", "ordinal", "name", "kind", "branch", "queue", "given", "output", "error", "ref"),
    *("status", "outcome", "undoable", "timeout_ms", "alone"),
)


def parts(
    old: Journal,
    new_id: str,
    steps: Sequence[StepRow],
    from_step: str | None,
    earliest: bool,
    edited: Mapping[str, Any] | None,
    actor: str,
    seal: Seal,
) -> NewRun:
    """The new run; raises when effects before the step no longer stand."""
    calls = [row for row in steps if row["branch"]]
    start = _start(old, calls, from_step, earliest)
    given = {**(old.run["input"] or {}), **_checked(edited or {})}
    order = CodeOrder(
        workflow=old.run["type"],
        # The version of the old run and not the newest: the calls that are reused were made by its code.
        version=old.run["version"],
        args=given.get("args") or [],
        kwargs=given.get("kwargs") or {},
        parent_run_id=old.run["parent_run_id"],
        on_failure=old.run["on_failure"],
        tags=old.run["tags"],
        callback_url=old.run["callback_url"],
    )
    if edited:
        order = sealed_order(old.tx, order, seal)
    known = definitions.find(old.tx, order.workflow, order.version)
    assert known is not None  # A definition is never deleted.
    made = new_run(order, known, new_id, actor)
    main: StepRow = {**made.steps[0], "error": None, "ref": None}  # All inserted rows have the same columns.
    rows = [main, *(_heir(main, row, old.id) for row in _before(calls, start))]
    parent_step = old.run["parent_step"] if old.status == RunStatus.FAILED_HELD else None
    facts: RunRow = {"limits": old.run["limits"], "from_step": start, "parent_step": parent_step}
    return replace(made, steps=rows, columns={**made.columns, **facts})


def hand_over(old: Journal, new: Journal, rows: Sequence[StepRow], *, held: bool) -> None:
    """Let the new run hear what the old one was told and nobody will tell it again.

    Whoever has the token of a hook that is kept reaches the new run with it. What such a hook was called with
    counts, unless a call that is kept has taken it. A held run was open: whatever nobody has taken counts.
    """
    kept = [row for row in rows if row["reused_from"]]
    ids = [str((row["output"] or {})["value"]["hookId"]) for row in kept if row["kind"] == "hook"]
    hooks.reopen(old.tx, ids, new.id)
    if held:
        hooks.hand_over(old.tx, old.id, new.id)
    senders, takers = {sender_of(id_) for id_ in ids}, {row["key"] for row in kept}
    for sent in sent_signals.repeatable(old.tx, old.id):
        asked_for = sent["sender"] in senders and sent["consumed_by"] not in takers
        if asked_for or (held and sent["consumed_by"] is None):
            signals.repeat(new, sent)
    new.flush()


def _start(old: Journal, calls: Sequence[StepRow], from_step: str | None, earliest: bool) -> str | None:
    """The call to begin at: None for the first, "main" when all calls stand."""
    gone = [row["key"] for row in calls if not _stands(row)]
    if earliest:
        failed = [row["key"] for row in calls if row["key"] == old.run["error_step"]]
        ends = [row["key"] for row in calls if row["key"] in (*gone, *failed)]
        first = calls[0]["key"] if calls else None
        start = ends[0] if ends else MAIN
        return None if start in (first, None) or not calls else str(start)
    if from_step is None:
        return None
    return begin_at(from_step, [*(row["key"] for row in calls), MAIN], gone)


def _stands(row: StepRow) -> bool:
    """Whether what a call gave still holds: a result that was not undone, or a failure."""
    if row["status"] == StepStatus.FAILED:
        return True
    return row["status"] in STEP_DONE and row["compensated_at"] is None


def _before(calls: Sequence[StepRow], start: str | None) -> list[StepRow]:
    if start is None:
        return []
    first = next((row["ordinal"] for row in calls if row["key"] == start), None)
    return [row for row in calls if first is None or row["ordinal"] < first]


def _heir(main: StepRow, was: StepRow, old_id: str) -> StepRow:
    """A call as the new run knows it; what was undone is not undone again."""
    kept = cast("StepRow", picked(was, KEPT))
    # "May have happened" would undo it a second time when the new run fails.
    if was["compensated_at"] is not None:
        kept["outcome"] = StepOutcome.NONE
    return {**main, **kept, "reused_from": old_id}


def _checked(edited: Mapping[str, Any]) -> dict[str, Any]:
    for name, kind in (("args", list), ("kwargs", dict)):
        if name in edited and not isinstance(edited[name], kind):
            raise ValidationFailed.of(name, "Args is a list, kwargs an object")
    for name in edited:
        if name not in ("args", "kwargs"):
            raise ValidationFailed.of(name, "The input of a code workflow has args and kwargs")
    return dict(edited)
