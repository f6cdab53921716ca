"""Schedules that are due: any reconciler looks, one of them starts the run (T12).

1. Take the row of the schedule; whoever finds it taken leaves it.
2. What waited for an earlier run to end begins, if that has ended.
3. Each due time up to now: start, skip, queue or replace, by the policies of catch-up and overlap. The key of
   the run is the due time, so that it is accepted once whatever happens.
4. Note what became of each, and compute the next due time.

All of it is one transaction: whoever comes second, or comes back, finds nothing that is due. A due time that
starts nothing is noted with the reason and counted; the schedule goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from app.domain.errors import OtherRelease, Unavailable, WindlassError
from app.domain.ids import new_id
from app.domain.json import JsonObject
from app.domain.schedules import Timing, due
from app.domain.states import TERMINAL
from app.engine import admission
from app.engine.code import start
from app.engine.code.start import CodeOrder
from app.engine.transitions import accept, operator_actions
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal, Message, journal
from app.record.service import schedules
from app.record.session import Tx
from chains import catalogue

log = structlog.get_logger(__name__)
ACTOR = "schedule"
AT_ONCE = 10  # Due times of one look: timers wait until it has ended, and the next one follows at once.
ELSEWHERE_MS = 600_000  # A type that nobody has known for so long is no longer one of another release.


def actor(schedule_id: str) -> str:
    """Who starts the runs of a schedule; the list of runs can be narrowed to it."""
    return f"{ACTOR}/{schedule_id}"


def timing(row: JsonObject) -> Timing:
    """When a schedule is due."""
    return Timing(
        cron=row["cron"], timezone=row["timezone"], every_ms=row["every_ms"], anchor_at=row["anchor_at"]
    )


def fire(tx: Tx, schedule_id: str) -> list[Message] | None:
    """Do what is due of a schedule; None when it is paused, or somebody else is at it."""
    row = schedules.take_schedule(tx, schedule_id)
    if row is None:
        return None
    turn = Turn(tx, row)
    # Before the due times of now: what is queued came earlier.
    turn.release()
    turn.meet_due()
    turn.close()
    return turn.messages


def run_now(tx: Tx, row: JsonObject, key: str, by: str) -> Journal:
    """Start a run of a locked schedule beside its due times, whatever else is open; the same key starts one.

    Raises what refuses it.
    """
    turn = Turn(tx, row)
    run_id = new_id("run")
    j = begin(tx, row, run_id, f"sched:{row['id']}:{key}")
    if j.id == run_id:
        turn.note(schedules.free_moment(tx, row["id"]), "started", run_id=j.id, by=by)
        turn.close()
    return j


def follow(j: Journal, following: str) -> None:
    """Another run goes on in place of this one: as long as it is open, so is the due time."""
    schedule_id = j.run["triggered_by"].partition(f"{ACTOR}/")[2]
    if schedule_id:
        schedules.follow(j.tx, schedule_id, j.id, following)


def begin(tx: Tx, row: JsonObject, run_id: str, key: str) -> Journal:
    """Accept a run of a schedule, as a start by somebody would; raises `Rejected` errors."""
    if row["type"] in catalogue.types():
        order = order_of(row, key)
        admission.check_known(tx, order)
        return accept.accept(tx, run_id, order, actor(row["id"]))
    admission.check_type(tx, row["type"])
    return start.start_in(tx, run_id, code_order_of(row, key), actor(row["id"]))


def order_of(row: JsonObject, key: str | None = None) -> Order:
    """What a schedule of a type of the catalogue asks for; it waits in line for its resource."""
    return Order(
        type=row["type"],
        input=row["input"],
        resource_id=row["resource_id"],
        on_failure=row["on_failure"],
        tags=row["tags"],
        idempotency_key=key,
        on_conflict="queue",
    )


def code_order_of(row: JsonObject, key: str | None = None) -> CodeOrder:
    """What a schedule of a code workflow asks for."""
    return CodeOrder(
        workflow=row["type"],
        version=row["workflow_version"],
        args=row["input"],
        on_failure=row["on_failure"],
        tags=row["tags"],
        idempotency_key=key,
    )


@dataclass
class Turn:
    """One look at one schedule under its lock."""

    tx: Tx
    row: JsonObject
    messages: list[Message] = field(default_factory=list)
    changes: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = schedules.open_occurrences(self.tx, self.row["id"])
        self.running = [one["run_id"] for one in found if one["outcome"] == "started"]
        self.waiting = [one for one in found if one["outcome"] == "queued"]

    def release(self) -> None:
        """Start what has waited longest, once the runs before it have ended."""
        if self.waiting and not self.running:
            waited = self.waiting.pop(0)
            schedules.drop_occurrence(self.tx, waited["id"])
            self.start(waited["due_at"])

    def meet_due(self) -> None:
        """Do with each due time what the policies say, and look for the next one."""
        first, now = self.row["next_due_at"], self.tx.now
        if first is None or first > now:
            return
        when = timing(self.row)
        found = due(when, first, now, self.row["catch_up"], self.row["catch_up_limit"])
        if found.missed:
            self.note(first, "missed", reason="no reconciler was there in time", times=found.missed)
        for at in found.times[:AT_ONCE]:
            self.meet(at)
        left = found.times[AT_ONCE:]
        self.changes["next_due_at"] = left[0] if left else next(when.after(now), None)

    def meet(self, at: int) -> None:
        """One due time, in view of the runs that are open."""
        overlap = self.row["overlap"]
        busy = f"{self.running[0]} has not ended" if self.running else None
        if overlap == "skip" and busy:
            self.note(at, "skipped", reason=busy)
        elif overlap == "queue" and (busy or self.waiting):
            self.queue(at, busy)
        else:
            if overlap == "replace":
                self.cancel(self.running)
            self.start(at)

    def queue(self, at: int, busy: str | None) -> None:
        """Let a due time wait, unless as many wait as may be made up for."""
        most = self.row["catch_up_limit"] if self.row["catch_up"] == "all" else 1
        if len(self.waiting) >= most:
            self.note(at, "skipped", reason=f"{len(self.waiting)} wait already")
            return
        self.note(at, "queued", reason=busy)
        self.waiting.append({"due_at": at})

    def start(self, at: int) -> None:
        """Start the run of a due time; a refusal leaves nothing behind but its reason."""
        declared = not isinstance(self.row["input"], list)
        if declared and self.row["type"] not in catalogue.types() and self.tx.now - at < ELSEWHERE_MS:
            raise OtherRelease(f"{self.row['type']} is of another release, whose reconcilers start it")
        try:
            # A refusal may come after rows were written. Without the savepoint it would take the notes of all
            # other due times with it, and on PostgreSQL a failed statement would end the transaction.
            with self.tx.savepoint():
                j = begin(self.tx, self.row, new_id("run"), f"sched:{self.row['id']}:{at}")
        # The database is in the way, not the order: nothing is noted, and the next look does all of it.
        except Unavailable:
            raise
        except WindlassError as refused:
            self.note(at, "refused", reason=f"{refused.code}: {refused.message}")
            return
        self.note(at, "started", run_id=j.id)
        self.running.append(j.id)
        self.messages += j.messages

    def cancel(self, run_ids: Iterable[str]) -> None:
        """Ask the runs that are still open to stop; they end, and undo, in their own time."""
        for run_id in run_ids:
            with journal(self.tx, run_id) as j:
                # It was open when this look began. One that had not begun ends as soon as it is cancelled,
                # perhaps for an earlier due time of this very look.
                if j.status not in TERMINAL:
                    operator_actions.cancel(
                        j, actor(self.row["id"]), reason="replaced by the next run of its schedule"
                    )
            self.messages += j.messages

    def note(
        self,
        at: int,
        outcome: str,
        *,
        reason: str | None = None,
        run_id: str | None = None,
        times: int = 1,
        by: str | None = None,
    ) -> None:
        """Keep what became of a due time, or of a run that somebody asked for."""
        row = {"schedule_id": self.row["id"], "due_at": at, "outcome": outcome, "reason": reason}
        row |= {"run_id": run_id, "times": times, "manual": by is not None, "actor": by}
        closed = None if outcome in ("started", "queued") else self.tx.now
        schedules.add_occurrence(self.tx, {**row, "closed_at": closed})
        if outcome not in ("started", "queued"):
            log.warning("schedule.missed", schedule=self.row["id"], due_at=at, outcome=outcome, reason=reason)
        if outcome != "queued":
            column = "started" if outcome == "started" else "missed"
            self.changes[column] = {**self.row, **self.changes}[column] + times
        self.changes["last"] = {"dueAt": at, "outcome": outcome, "reason": reason, "runId": run_id}

    def close(self) -> None:
        """Write down what changed."""
        if self.changes:
            schedules.note_turn(self.tx, self.row["id"], self.changes)
