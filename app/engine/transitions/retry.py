"""T14, retry: repeat an ended or held run as a new one (contracts/runs.rst#cancel-and-retry)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.domain.errors import Conflict, InvalidStateTransition, ValidationFailed
from app.domain.events import EventType
from app.domain.plan import PlannedStep
from app.domain.restart import begin_at
from app.domain.rows.runs import RunRow, StepRow
from app.domain.run_kind import RunKind
from app.domain.states import STEP_DONE, TERMINAL, RunStatus, StepOutcome, StepStatus
from app.engine.code import retry as again
from app.engine.code.start import Seal
from app.engine.transitions.accept import NewRun, Order, of_type, store
from app.engine.transitions.finish import finish
from app.engine.transitions.journal import FAN_OUT, Journal, journal, planned
from app.engine.transitions.step_rows import begins, step_row
from app.record.runs import hooks, runs
from app.record.runs import locks as lock_rows
from app.record.session import Tx
from chains import catalogue


def retry(
    tx: Tx,
    old_id: str,
    new_id: str,
    actor: str,
    *,
    from_step: str | None = None,
    earliest: bool = False,
    edited: Mapping[str, Any] | None = None,
    reason: str | None = None,
    seal: Seal | None = None,
) -> Journal:
    """Store a new run that repeats an ended or held one, from the start or from a step."""
    # The caller chose the id before it asked. Our own commit whose answer was lost is found by it, and the
    # retry is made once (test_a_retry_that_is_sent_twice_is_made_once).
    if runs.read_run(tx, new_id) is not None:
        with journal(tx, new_id) as repeated:
            return repeated
    # The lock of the old run decides between two retries at once: the second one finds the first
    # (test_one_of_two_retries_is_made).
    with journal(tx, old_id) as old:
        _retryable(old)
        steps = [row for row in runs.all_steps(tx, old_id) if row["phase"] == "forward"]
        if old.run["kind"] != RunKind.CODE:
            made = _declared(old, new_id, steps, from_step, earliest, edited, actor)
        else:
            made = again.parts(old, new_id, steps, from_step, earliest, edited, actor, seal or _unsealable)
        held = old.status == RunStatus.FAILED_HELD
        difference = {k: v for k, v in made.input.items() if old.run["input"].get(k) != v}
        old.event(EventType.OPERATOR_ACTION, actor=actor, action="retry", reason=reason, retriedBy=new_id)
        if held:
            for held_lock in lock_rows.held_by(tx, old_id):
                old.event(EventType.LOCK_RELEASED, resource=held_lock["resource"], movedTo=new_id)
            old.set(parent_step=None)  # Who waits for this run waits for the new one.
            # Ended first: the run holds its locks until `store` hands them over, so they are never free in
            # between.
            finish(old, RunStatus.FAILED, inherited=True)
            old.flush()
        columns: RunRow = {**made.columns, "retry_of": old_id}
        heir_of = old_id if held else None
        new = store(tx, replace(made, columns=columns, changed=difference, reason=reason, heir_of=heir_of))
        if made.kind == RunKind.CODE:
            again.hand_over(old, new, made.steps, held=held)
        elif held:
            hooks.hand_over(tx, old_id, new_id)
        new.messages[:0] = old.messages
        return new


def _unsealable(_text: str) -> str:
    raise ValidationFailed.of("input", "A secret cannot be edited here")


def _declared(
    old: Journal,
    new_id: str,
    steps: Sequence[StepRow],
    from_step: str | None,
    earliest: bool,
    edited: Mapping[str, Any] | None,
    actor: str,
) -> NewRun:
    """The retry of a declared plan."""
    start = _start(steps, from_step, earliest)
    kind = catalogue.lookup(old.run["type"])
    wanted = {**_own(old, kind), **(edited or {})}
    given = {**old.run["input"], **(kind.check(wanted, old.run["resource_id"]) if edited else {})}
    order = Order(
        type=old.run["type"],
        resource_id=old.run["resource_id"],
        on_failure=old.run["on_failure"],
        tags=old.run["tags"],
        callback_url=old.run["callback_url"],
    )
    rows = _inherited(old, new_id, kind.plan(given).rows(), steps, start)
    return replace(of_type(kind, new_id, order, given, rows, actor), columns={"from_step": start})


def _own(old: Journal, kind: catalogue.Workflow) -> dict[str, Any]:
    return {name: value for name, value in old.run["input"].items() if name not in kind.always}


def _retryable(old: Journal) -> None:
    if old.run["kind"] == RunKind.BATCH:
        raise InvalidStateTransition(
            f"A run of {old.run['type']} is not retried by itself: retry its batch, which keeps what stands",
            current=old.status,
        )
    if old.status in (RunStatus.COMPENSATING, RunStatus.CANCELLING, RunStatus.COMPENSATION_FAILED):
        raise Conflict(
            "Compensation is still in progress", reason="compensation_in_progress", status=old.status
        )
    if old.status not in (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.FAILED_HELD):
        raise InvalidStateTransition(
            f"Only a failed, cancelled or held run can be retried; this one is {old.status}",
            current=old.status,
        )
    live = runs.live_retry(old.tx, old.id)
    if live is not None:
        raise Conflict(f"Run {live} retries this one already", retriedBy=live)


def _start(steps: Sequence[StepRow], from_step: str | None, earliest: bool) -> str | None:
    """The step to begin at, None for the first; raises when effects before it no longer stand."""
    main = [row for row in steps if not row["branch"]]
    gone = [row["key"] for row in main if row["status"] not in STEP_DONE or _undone(row, steps)]
    if earliest and gone:
        gone.insert(0, begins(main, gone[0]))
        return gone[0] if gone[0] != main[0]["key"] else None
    if earliest or from_step is None:
        return None
    return begin_at(begins(main, from_step), [row["key"] for row in main], gone)


def _undone(row: StepRow, steps: Sequence[StepRow]) -> bool:
    if row["kind"] in FAN_OUT:
        return any(m["compensated_at"] for m in steps if m["branch"].startswith(f"{row['key']}/"))
    return row["compensated_at"] is not None


def _inherited(
    old: Journal, new_id: str, planned: Sequence[PlannedStep], steps: Sequence[StepRow], start: str | None
) -> list[StepRow]:
    """The rows of a retry: steps before the start stand, what may have happened stays undoable."""
    before = {row["key"]: row for row in steps}
    first = next((row.ordinal for row in planned if row.key == start), 0)
    rows = [
        _heir(step_row(new_id, row), before.get(row.key), old, skipped=row.ordinal < first) for row in planned
    ]
    known = {row["key"] for row in rows}
    for row in steps:  # Members of maps that stand, or have left something behind.
        skipped = row["ordinal"] < first
        if row["key"] not in known and (skipped or _stands(row, old)):
            rows.append(_heir(step_row(new_id, _as_planned(row)), row, old, skipped=skipped))
    return sorted(rows, key=lambda row: int(row["ordinal"]))


def _heir(row: StepRow, was: StepRow | None, old: Journal, *, skipped: bool) -> StepRow:
    if was is None:
        return row
    if skipped:
        done: StepRow = {
            "status": str(StepStatus.SKIPPED),
            "output": was["output"],
            "outcome": was["outcome"],
        }
        return {**row, **done, "reused_from": old.id}
    # Not reached yet by the new run, but it may stand: "unknown" makes compensation undo it, should the new
    # run fail before it comes here (test_a_retry_from_the_start_of_a_held_run_undoes_what_it_did_not_reach).
    return {**row, "outcome": StepOutcome.UNKNOWN} if _stands(was, old) else row


def _stands(was: StepRow, old: Journal) -> bool:
    """Whether the step of a held run may have done something that its retry has to undo."""
    return was["compensated_at"] is None and was["outcome"] != StepOutcome.NONE and old.status not in TERMINAL


def _as_planned(row: StepRow) -> PlannedStep:
    return replace(planned(row), values=row["given"] or {}, undoable=row["undoable"])
