"""Suspend a code workflow: an advance ends before its function does (T4).

1. The function has made calls that have no result yet. It was left by an exception that authors cannot catch.
2. Store a row for each new call and begin it: arm its timer, start its child, take a signal that is already
   there. A call that is stored stays as it is: this is our own repeated commit, or an operator changed it.
3. Publish a message for each call that has a body of its own (``ctx.parallel``). With ``limit=n`` the first n
   calls begin; each one that ends lets the next one begin (``app/engine/transitions/advance.py``).
4. All calls have ended already: do not wait. The advance continues with their results.
5. Otherwise ``main`` waits: it counts the open calls and gives up its lease, and the clock of the execution
   timeout stops. The transaction that ends the last call publishes the next advance.

All of it is one transaction. If the signal were looked for before and the wait stored afterwards, a signal
that arrives in between would never end the wait.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from app.auth.tokens import issue_hook_token
from app.domain.events import EventType
from app.domain.json import JsonObject
from app.domain.rows import picked
from app.domain.rows.runs import StepRow
from app.domain.states import STEP_ENDED, RunStatus, StepOutcome, StepStatus
from app.engine.code import hooks, signals
from app.engine.code.calls import call_row, enqueue_new
from app.engine.code.start import start_child
from app.engine.transitions.advance import CALL
from app.engine.transitions.compensate import settled_while_stopping
from app.engine.transitions.journal import Journal
from app.engine.transitions.step_rows import plan_facts
from windlass.calls import Call

Seal = Callable[[str], str]
DONE: StepRow = {"status": str(StepStatus.COMPLETED), "outcome": StepOutcome.DONE}
WAITING: StepRow = {"status": str(StepStatus.WAITING)}
ELSEWHERE_MS = 10_000
_TOLD = ("output", "error", "ref", "attempt")


def store(
    j: Journal, main: StepRow, calls: Sequence[Call], seal: Seal, limit: int | None = None
) -> list[StepRow] | None:
    """Store the calls and wait for them, at most ``limit`` open at a time; the rows, when all have ended.

    Calls that are stored stay as they are: our own commit, whose answer was lost, or an operator's doing.
    """
    known = j.some("forward", *(call.key for call in calls))
    first = min(call.ordinal for call in calls)
    rows = [
        call_row(main, call, beside=first if call.kind == "task" else None)
        for call in calls
        if call.key not in known
    ]
    # Stored before and not begun: they come before new calls, so that `limit` lets calls begin in their
    # order.
    held = sorted((row for row in known.values() if _is_held(row)), key=lambda row: int(row["ordinal"]))
    room = _Room(limit, sum(not _is_held(row) and row["status"] not in STEP_ENDED for row in known.values()))
    again = room.let(held, lambda row: _begin_again(j, row, seal))
    room.let(rows, lambda row: _begin(j, row, seal))
    if rows:
        j.insert(rows)
    rows += [row for row in again if row["kind"] in BEGINNINGS]
    for row in rows:
        if row["retry_at"] is not None:
            j.arm("sleep" if row["kind"] == "sleep" else "deadline", row["retry_at"], row)
    told: dict[str, Any] = {"steps": [_facts(row) for row in rows]}
    known.update((row["key"], row) for row in rows)
    open_ = [row for row in known.values() if row["status"] not in STEP_ENDED]
    # Nothing would ever end a wait for calls that have all ended.
    if not open_:
        j.event(EventType.CALLS_ENDED, main, **told)
        return [known[call.key] for call in calls]
    _park(j, main, open_, limit, **told)
    return None


@dataclass
class _Room:
    """How many calls may be open, and how many are."""

    limit: int | None
    open: int

    def let(self, rows: Sequence[StepRow], begin: Callable[[StepRow], None]) -> list[StepRow]:
        """Begin the first of these calls, until no more may be open; those that were begun."""
        begun: list[StepRow] = []
        for row in rows:
            if self.limit is not None and self.open >= self.limit:
                break
            begin(row)
            self.open += row["status"] not in STEP_ENDED
            begun.append(row)
        return begun


def _is_held(row: StepRow) -> bool:
    """Whether a stored call has not begun: the limit held it back, or an operator gave it another chance."""
    return row["status"] == StepStatus.PENDING and (row["name"] != CALL or row["expect_since"] is None)


def retry_later(j: Journal, main: StepRow, row: StepRow, changes: StepRow, told: Any, wait_ms: int) -> None:
    """Let the function go on when the next attempt of one of its steps is due."""
    due = j.now + wait_ms
    changes = {**changes, "retry_at": due}
    j.move(row, StepStatus.RETRY_WAIT, **changes)
    j.arm("retry", due, row)
    j.event(EventType.STEP_RETRYING, row, **told, dueAt=due)
    _park(j, main, [row], None)


def hand_over(j: Journal, main: StepRow) -> None:
    """The run does not go on: it is being stopped, or an operator holds it back."""
    if j.status == RunStatus.CANCELLING:
        _stopped(j, main)
        settled_while_stopping(j)
    else:
        give_back(j, main)


def _stopped(j: Journal, main: StepRow) -> None:
    over: StepRow = {"holder": None, "lease_until": None, "completed_at": j.now}
    if j.run["goal"] == RunStatus.FAILED:  # It has reached a limit.
        error = {"code": j.run["error_code"], "message": j.run["error_message"]}
        over["error"] = error
        j.move(main, StepStatus.FAILED, **over)
        j.event(EventType.STEP_FAILED, main, error=error)
    else:
        j.move(main, StepStatus.CANCELLED, **over)
        j.event(EventType.STEP_CANCELLED, main)


def elsewhere(j: Journal, main: StepRow, facts: Mapping[str, Any]) -> None:
    """This worker cannot go on with the function: leave it to another one, after a while."""
    if j.status != RunStatus.RUNNING:
        hand_over(j, main)
        return
    # A timer and not a message: the queue of the workflow is served by workers that do not have it, and would
    # give it to this one again at once.
    due, error = j.now + ELSEWHERE_MS, dict(facts)
    waits = {"kind": "worker", "step": main["key"], "since": j.now, "until": due, "error": error}
    given = {**(main["given"] or {}), "waits": waits}
    j.move(main, StepStatus.RETRY_WAIT, error=error, given=given, retry_at=due, holder=None, lease_until=None)
    j.arm("retry", due, main)
    j.event(EventType.STEP_RETRYING, main, error=error, outcome=main["outcome"], dueAt=due)
    j.set(expect_since=None)
    j.become(RunStatus.WAITING, waiting_on=waits)


def give_back(j: Journal, main: StepRow) -> None:
    """Let whoever comes next go on with the function."""
    j.move(main, StepStatus.PENDING, holder=None, lease_until=None)
    j.event(EventType.STEP_READY, main)


def _park(j: Journal, main: StepRow, calls: Sequence[StepRow], limit: int | None, **told: Any) -> None:
    waits = _waits_for(calls, j.now)
    left = _stop_the_clock(j, main, calls)
    given = {"waits": waits, "leftMs": left, **({"limit": limit} if limit is not None else {})}
    # The function came as far as a wait, so what it lost before is not its poison: the limit is for workers
    # that die one after the other at the same place.
    j.move(main, StepStatus.WAITING, pending=len(calls), given=given, holder=None, lease_until=None, lost=0)
    j.event(
        EventType.STEP_WAITING,
        main,
        ref=None,
        until=waits["until"],
        calls=[row["key"] for row in calls],
        **told,
    )
    j.set(expect_since=None)
    if j.status == RunStatus.RUNNING:
        j.become(RunStatus.WAITING, waiting_on=waits)


def _stop_the_clock(j: Journal, main: StepRow, calls: Sequence[StepRow]) -> int | None:
    """What is left of the time that the function may work; waiting for steps is work."""
    if main["deadline_at"] is None or any(row["kind"] == "task" for row in calls):
        return None
    left = max(0, int(main["deadline_at"]) - j.now)
    j.disarm(main, "execution")
    j.change(main, deadline_at=None)
    return left


def _waits_for(calls: Sequence[StepRow], now: int) -> dict[str, Any]:
    first = calls[0]
    kind = "calls" if first["kind"] == "task" else first["kind"]
    given = first["given"] or {}
    until = [row["retry_at"] for row in calls if row["retry_at"] is not None]
    facts = {"kind": kind, "step": first["key"], "since": now, "until": max(until, default=None)}
    if kind in ("signal", "child"):
        facts |= {"name": given.get("name") or given.get("workflow"), "run": first["ref"]}
    return {**facts, **({"calls": len(calls)} if len(calls) > 1 else {})}


def _begin(j: Journal, row: StepRow, seal: Seal) -> None:
    """Begin a call that is about to be inserted."""
    _begun(j, row, seal)
    if row["kind"] == "task":
        enqueue_new(j, row)


def _begin_again(j: Journal, row: StepRow, seal: Seal) -> None:
    """Begin a call that is stored."""
    if row["name"] == CALL:
        j.enqueue(row, [row])
    elif row["kind"] in BEGINNINGS:
        fresh, before = _begun(j, row.copy(), seal), dict(row)
        changed = {name: value for name, value in fresh.items() if before[name] != value}
        j.change(row, **cast("StepRow", changed))


def _begun(j: Journal, row: StepRow, seal: Seal) -> StepRow:
    if row["kind"] in BEGINNINGS:
        BEGINNINGS[row["kind"]](j, row, seal)
    if row["status"] != StepStatus.PENDING:
        row.update({"attempt": row["attempt"] + 1, "first_started_at": j.now, "started_at": j.now})
        row["completed_at"] = j.now if row["status"] in STEP_ENDED else None
    return row


def _given(row: StepRow) -> JsonObject:
    """What a call waits for; a wait is stored with it."""
    return row["given"] or {}


def _sleep(j: Journal, row: StepRow, _seal: Seal) -> None:
    ms = int(_given(row)["ms"])
    row.update({**WAITING, "retry_at": j.now + ms} if ms else {**DONE, "output": {"value": None}})


def _signal(j: Journal, row: StepRow, _seal: Seal) -> None:
    given = _given(row)
    # In the transaction that stores the wait (chaos: "replay of a consumed signal" plants that it is not
    # consumed).
    found = signals.take(j, given["name"], row["key"], given.get("hook"))
    if found is not None:
        j.event(EventType.SIGNAL_CONSUMED, signalId=found["id"], call=row["key"])
        row.update({**DONE, "output": {"value": found["payload"]}})
        return
    timeout = given.get("timeout_ms")
    row.update({**WAITING, "retry_at": None if timeout is None else j.now + int(timeout)})


def _child(j: Journal, row: StepRow, seal: Seal) -> None:
    # The child is accepted in this transaction: there is no child without its call, and no call that waits
    # for a child which was never stored.
    row["given"], started = start_child(j, row["key"], _given(row), seal)
    if isinstance(started, str):
        row.update({**WAITING, "ref": started})
    else:
        row.update({"status": str(StepStatus.FAILED), "error": started})


def _hook(j: Journal, row: StepRow, seal: Seal) -> None:
    given = _given(row)
    token, digest = issue_hook_token()
    hook_id = hooks.create(j, given["name"], given.get("action"), given.get("metadata"), digest)
    value = {"hookId": hook_id, "name": given["name"], "action": given.get("action")}
    # Sealed, but kept: a replay must get the very token that the function may have sent to somebody already.
    row.update({**DONE, "output": {"value": {**value, "token": {"$secret": seal(token)}}}})


def _event(j: Journal, row: StepRow, _seal: Seal) -> None:
    given = _given(row)
    told = {"eventType": given["type"], "payload": given["payload"], "correlationId": None}
    j.event(EventType.USER_EVENT, actor=f"run/{j.id}", **told)
    row.update({**DONE, "output": {"value": None}})


BEGINNINGS: dict[str, Callable[[Journal, StepRow, Seal], None]] = {
    "sleep": _sleep,
    "signal": _signal,
    "child": _child,
    "hook": _hook,
    "event": _event,
}


def _facts(row: StepRow) -> dict[str, Any]:
    facts = plan_facts(row)
    told = {name: value for name, value in picked(row, _TOLD).items() if value}
    return {**facts, **told, **({"dueAt": row["retry_at"]} if row["retry_at"] is not None else {})}
