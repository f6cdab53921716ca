"""Limits of a code workflow run: events, bytes, time of work (contracts/code-workflows.rst#limits).

Whatever waits has room to be woken in: the events of that are reserved when it begins to wait, so that a run
that waits is never stuck with a full log.
"""

from dataclasses import dataclass

from app.domain.events import EventType
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import RunStatus, StepStatus
from app.engine.transitions.compensate import stop
from app.engine.transitions.journal import MAIN, Journal

TOO_MANY = "MAX_EVENTS_EXCEEDED"
TOO_LARGE = "MAX_BYTES_EXCEEDED"
TOO_LONG = "EXECUTION_TIMEOUT"


def most_events(run: RunRow) -> int | None:
    """How many events the log of a run may have before those of its end."""
    most: int | None = (run["limits"] or {}).get("maxEvents")
    return most


@dataclass
class Bytes:
    """How many bytes the events and signals of a run may have together; a process sets it once."""

    most: int = 67_108_864


BYTES = Bytes()


def is_large(run: RunRow) -> bool:
    """Whether it is bytes that the log of a run has too many of, rather than events."""
    most = most_events(run)
    return most is None or run["log_bytes"] / BYTES.most > run["event_seq"] / most


def room(j: Journal, main: StepRow | None, more: int = 0) -> bool:
    """Whether the log has room for so many more events and what is reserved for those who wait."""
    if j.run["log_bytes"] > BYTES.most:
        return False
    most = most_events(j.run)
    if most is None:
        return True
    waits = main is not None and main["status"] == StepStatus.WAITING
    # Two for each member of ctx.parallel (started, ended), or three for the one signal (received, consumed,
    # ended); then two of `main` (ready, started). Signals and events from outside that nobody waits for may
    # not use them, or the run could neither go on nor say why
    # (test_others_cannot_take_the_events_that_a_wait_needs).
    reserved = 2 * int(main["pending"]) + 3 if main is not None and waits else 0
    return int(j.run["event_seq"]) + more + reserved <= most


def full(j: Journal) -> None:
    """End the run: its log has as many events as it may have."""
    if is_large(j.run):
        told = f"events and signals of the run have as many bytes as they may have: {BYTES.most}"
        reach(j, TOO_LARGE, f"{told} (WINDLASS_RUN_BYTES)")
        return
    most = most_events(j.run)
    reach(j, TOO_MANY, f"the run has as many events as it may have: {most} (maxEvents)")


def reach(j: Journal, code: str, message: str) -> None:
    """End the run, which has reached a limit: what it did is undone, once nothing runs any more."""
    facts = {"code": code, "message": message}
    j.event(EventType.RUN_LIMIT_REACHED, error=facts)
    j.set(error_code=code, error_message=message, error_step=MAIN)
    main = j.one("forward", MAIN)
    # One that runs is left to its worker: the next commit of the advance finds the run stopping and hands
    # over.
    if main is not None and main["status"] in (StepStatus.WAITING, StepStatus.PENDING, StepStatus.RETRY_WAIT):
        j.disarm(main)
        j.move(main, StepStatus.FAILED, error=facts, completed_at=j.now)
        j.event(EventType.STEP_FAILED, main, error=facts)
    stop(j, RunStatus.FAILED, hold=j.run["on_failure"] == "hold")
