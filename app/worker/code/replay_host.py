"""What a function's calls do to its run: results are kept, waits are stored, each under the advance's fence.

The result of a step is written together with whatever comes next: the beginning of the next step, a wait, the
end. So n plain steps in a row cost n commits and one for the claim (contracts/code-workflows.rst#cost).
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from app.domain.errors import StepTimedOut
from app.domain.events import EventType
from app.domain.rows.runs import StepRow
from app.domain.states import RunStatus, StepOutcome, StepStatus
from app.engine.code import limits, suspend
from app.engine.code.calls import YIELD_S, call_row
from app.engine.messages.publish import publish_and_fire
from app.engine.transitions import optimistic
from app.engine.transitions.claim import Claim
from app.engine.transitions.journal import Journal, Message
from app.engine.transitions.step_rows import plan_facts
from app.record.fast_path.transition import RunSnapshot
from app.record.runs import runs
from app.record.session import Tx
from app.worker.code.failure import log_facts, scrubbed
from app.worker.code.pending_writes import Fenced, Note, TooManyEvents
from app.worker.execute import Runner
from app.worker.time_limit import TimeLimit, end_if_asked, end_if_child_of
from tasks.code import memo, timed_out
from windlass.calls import Call, Memo, Suspend

T = TypeVar("T")
log = structlog.get_logger(__name__)
MOST_NOTES = 50  # Results that are kept in memory.
PATIENCE_S = 600.0  # Results are kept in memory this long while SQL is away; the fence decides then.


class Host:
    """One advance of one run; see `windlass.replay.Host`."""

    def __init__(self, runner: Runner, claimed: Claim) -> None:
        self._runner, self._claimed, self._main = runner, claimed, claimed.step
        self._seen: RunSnapshot | None = claimed.seen
        self._notes: list[Note] = []
        self._rows: dict[str, StepRow] = {}
        self._after: dict[str, StepRow] = {}  # Rows as the last commit left them.
        self._until, self._pid = time.monotonic() + YIELD_S, os.getpid()
        self.status = "waiting"  # What becomes of the main step, until it ends.

    def start_the_clock(self) -> None:
        """Let a timer end the run when its function has worked for too long, waits not counted."""
        limit = (self._claimed.run["limits"] or {}).get("executionTimeoutMs")
        if limit is None or self._main["deadline_at"] is not None:
            return
        left = (self._main["given"] or {}).get("leftMs")

        def rules(j: Journal, main: StepRow) -> None:
            due = j.now + (limit if left is None else left)
            j.arm("execution", due, main)
            j.change(main, deadline_at=due)
            j.event(EventType.RUN_TIMED, limitMs=limit, until=due)

        self.commit(rules, plain=False)

    def end(self, rules: Callable[[Journal, StepRow], None], *, plain: bool = False) -> None:
        """The function has ended: write what is left, and that."""

        def last(j: Journal, main: StepRow) -> None:
            if j.status == RunStatus.CANCELLING:  # However it ended: too late.
                suspend.hand_over(j, main)
            else:
                rules(j, main)
            self.status = str(main["status"])

        self.commit(last, plain=plain)

    def end_full(self) -> None:
        """The log has as many events as it may have: end the run, and keep what became of what was known."""
        self._notes = [note for note in self._notes if not note.new]

        def last(j: Journal, main: StepRow) -> None:
            suspend.hand_over(j, main)
            self.status = str(main["status"])

        self.commit(last, plain=False, before=limits.full)

    def history(self) -> list[Memo]:
        """The calls that were made in earlier advances."""
        if self._main["attempt"] == 1 and self._claimed.run["retry_of"] is None:
            return []
        rows = self._runner.db.read(lambda tx: runs.calls(tx, self._claimed.run["id"]))
        self._rows = {row["key"]: row for row in rows}
        return [memo(row) for row in rows]

    def begin(self, call: Call) -> int:
        """A body is about to run: all before it is durable, and so is that it begins, where that matters."""
        row = self._rows.get(call.key)
        if row is None and not call.options.intent:
            # The results before this body are committed first: the body may use them, and if they were lost
            # with this process, a replay would make them anew and perhaps differently (chaos: "a result not
            # kept before the next body").
            if self._notes or time.monotonic() > self._until:
                self._checkpoint()
            return 1
        lost = row is not None and row["attempt"] and row["error"] is None  # It was no fault of the step.
        attempt = 1 if row is None else int(row["attempt"]) + (0 if lost else 1)
        again = row is not None and row["outcome"] != StepOutcome.NONE
        begun: StepRow = {"attempt": attempt, "outcome": StepOutcome.UNKNOWN, "unsure": again, "error": None}
        self._note(call, EventType.STEP_BEGUN, begun)
        self._checkpoint()
        return attempt

    def invoke(self, call: Call) -> object:
        """Run a body within its time."""
        assert call.fn is not None
        limit = call.options.timeout_ms or int(self._main["timeout_ms"] - YIELD_S * 1000)
        try:
            with TimeLimit(limit, call.key):
                return call.fn(*call.args, **call.kwargs)
        except StepTimedOut as late:
            raise timed_out(call, late) from late

    def complete(self, call: Call, value: object) -> None:
        """A call has its result."""
        output = {"value": value}
        done: StepRow = {"status": str(StepStatus.COMPLETED), "output": output, "outcome": StepOutcome.DONE}
        self._note(call, EventType.STEP_COMPLETED, {**done, "error": None, "unsure": False}, output=output)
        if len(self._notes) >= MOST_NOTES:  # Values, which no body separates.
            self._checkpoint()

    def fail(self, call: Call, error: Mapping[str, object], retry_in_ms: int | None) -> None:
        """An attempt of a step has failed; None: for good."""
        error = scrubbed(error)
        log.warning("step.failed", step=call.key, again_in_ms=retry_in_ms, **log_facts(error))
        # A call without intent has nothing to undo and is repeated anyhow, so its outcome decides nothing.
        outcome = StepOutcome.UNKNOWN if call.options.intent else StepOutcome.NONE
        changes: StepRow = {
            "error": dict(error),
            "outcome": outcome,
            "unsure": outcome == StepOutcome.UNKNOWN,
        }
        told = {"error": dict(error), "outcome": outcome}
        if retry_in_ms is None:
            self._note(call, EventType.STEP_FAILED, {**changes, "status": str(StepStatus.FAILED)}, **told)
        elif not retry_in_ms:
            self._note(call, EventType.STEP_FAILING, changes, **told)
        else:
            row, wait_ms = self._rows[call.key].copy(), retry_in_ms

            def later(j: Journal, main: StepRow) -> None:
                if self._running(j, main):
                    suspend.retry_later(j, main, row, changes, told, wait_ms)

            self.commit(later, plain=False)
            raise Suspend

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        """Store waits; their results, when all of them have one already."""
        found = self.commit(lambda j, main: self._wait(j, main, calls, limit), plain=False)
        if found is None:
            raise Suspend
        self._rows.update((row["key"], row) for row in found)
        return [memo(row) for row in found]

    def clock_ms(self) -> int:
        """Now, on this machine: a value that is kept is not compared with others."""
        return time.time_ns() // 1_000_000

    def seal(self, text: str) -> str:
        """Make a secret unreadable to whoever reads the record."""
        return self._runner.capabilities.seal(text)

    def unseal(self, text: str) -> str:
        """A secret as it was."""
        return self._runner.capabilities.unseal(text)

    def commit(
        self,
        after: Callable[[Journal, StepRow], T],
        *,
        plain: bool = True,
        before: Callable[[Journal], None] | None = None,
    ) -> T:
        """Write what has ended, and what ``after`` adds; decided from what is seen where that may do."""
        end_if_child_of(self._pid)  # The author's function may have forked anywhere,
        end_if_asked()  # and caught this anywhere.
        messages: list[Message] = []

        def rules(j: Journal, known: Mapping[str, StepRow]) -> T:
            main = self._mine(j)
            if before is not None:
                before(j)
            self._write(j, main, [note for note in self._notes if not note.is_in(known)])
            result = after(j, main)
            # Raised before the flush: the transaction that would exceed the limit is rolled back, and another
            # one ends the run.
            if j.status in (RunStatus.RUNNING, RunStatus.WAITING) and not limits.room(j, main):
                raise TooManyEvents
            j.flush()
            messages[:] = j.messages
            return result

        drafted = self._optimistically(rules) if plain else None
        result = drafted[0] if drafted is not None else self._under_lock(rules)
        # After the commit only: a transaction that is repeated must begin from what was committed before.
        self._rows.update(self._after)
        self._notes, self._after = [], {}
        publish_and_fire(self._runner.db, self._runner.publish, messages)
        return result

    def _optimistically(self, rules: Callable[[Journal, Mapping[str, StepRow]], T]) -> tuple[T] | None:
        if self._seen is None:
            return None
        # `known` is empty here: an optimistic write that was committed and whose answer was lost is refused
        # by the version, and the lock then finds its notes in the record (`Note.is_in`).
        decided = optimistic.decide(
            self._runner.db, self._seen, lambda j: rules(j, {}), patience_s=PATIENCE_S
        )
        if decided is None:
            return None
        self._seen = decided.seen
        return (decided.result,)

    def _under_lock(self, rules: Callable[[Journal, Mapping[str, StepRow]], T]) -> T:
        def work(tx: Tx) -> T:
            run = runs.lock_run(tx, self._claimed.run["id"])
            if run is None:
                raise Fenced
            j = Journal(tx, run)
            keys = [note.row["key"] for note in self._notes]
            result = rules(j, j.some("forward", *keys) if keys else {})
            self._seen = j.seen()
            return result

        return self._runner.db.write(work, patience_s=PATIENCE_S)

    def _mine(self, j: Journal) -> StepRow:
        main = j.one("forward", self._main["key"])
        if main is None or main["status"] != StepStatus.RUNNING:
            raise Fenced
        # The same two as in `settle._mine`: after a loss the fence stays until the next claim, and only the
        # nonce differs.
        if (main["holder"], main["fence"]) != (self._claimed.holder.nonce, self._claimed.fence):
            raise Fenced
        return main

    def _note(self, call: Call, event: EventType, changes: StepRow, **facts: object) -> None:
        known = self._rows.get(call.key)
        row = call_row(self._main, call) if known is None else known
        if known is None and call.kind == "task":
            changes.setdefault("attempt", 1)
        self._notes.append(Note(row=row, changes=changes, event=event, facts=facts, new=known is None))
        self._rows[call.key] = {**row, **changes}

    def _write(self, j: Journal, main: StepRow, notes: Sequence[Note]) -> None:
        rows = {note.row["key"]: note.row.copy() for note in notes}
        fresh: list[StepRow] = []
        for note in notes:
            row, facts = rows[note.row["key"]], note.facts
            ended: StepRow = {"completed_at": j.now} if "status" in note.changes else {}
            if note.new:
                facts = {"steps": [plan_facts(row)], **facts}
                row.update({**note.changes, "first_started_at": j.now, "started_at": j.now, **ended})
                fresh.append(row)
            else:
                changes: StepRow = {**note.changes, **ended}
                j.change(row, **changes)
            j.event(note.event, row, **facts)
        if fresh:
            j.insert(fresh)
        self._after = rows
        if main["lost"] and any(note.event == EventType.STEP_COMPLETED for note in notes):
            j.change(main, lost=0)  # It gets on, so what it lost before is not its poison.
        if notes and j.status == RunStatus.RUNNING and not limits.room(j, main):
            raise TooManyEvents

    def _checkpoint(self) -> None:
        if not self.commit(self._may_go_on):
            raise Suspend

    def _may_go_on(self, j: Journal, main: StepRow) -> bool:
        if not self._running(j, main):
            return False
        if time.monotonic() > self._until:
            suspend.give_back(j, main)
            j.enqueue(main, [main])
            return False
        return True

    def _wait(
        self, j: Journal, main: StepRow, calls: Sequence[Call], limit: int | None
    ) -> list[StepRow] | None:
        return suspend.store(j, main, calls, self.seal, limit) if self._running(j, main) else None

    def _running(self, j: Journal, main: StepRow) -> bool:
        if j.status == RunStatus.RUNNING:
            return True
        suspend.hand_over(j, main)
        return False
