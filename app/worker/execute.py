"""Run the body of a claimed step, with a time limit and a heartbeat, and return its outcome.

1. The heartbeat begins: one thread of the process renews the lease, writes what the body logs, and ends a
   body that does not react to its alarm.
2. After an attempt that may have happened, observe first. Seen: that is the result. Not seen: act. Nobody can
   tell, and the step must not be repeated: the outcome stays unknown, and the run is blocked.
3. Call the body within its time, then check that its result can be stored.
4. Whatever was raised is a failure of the step, without secrets and without frames. Only `Gone` is raised on:
   the process ends, and the step counts as lost.
"""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import structlog

from app.auth.secrets import REDACTOR, redact
from app.domain.errors import OutcomeUnknown, Permanent, StepError, WindlassError
from app.domain.states import StepOutcome
from app.domain.text import legible
from app.engine.messages.publisher import Publisher
from app.engine.transitions.claim import Claim
from app.engine.transitions.settle import Done, Failed, Outcome, Suspended
from app.record.runs import runs
from app.record.session import Database
from app.worker.live_log import LiveLog
from app.worker.time_limit import TimeLimit
from chains import catalogue
from tasks.capabilities import Capabilities
from tasks.context import Context
from tasks.step import Again, Finished, Happened, NothingHappened, Step, call, result_of
from windlass.calls import Gone

log = structlog.get_logger(__name__)
UNSTORABLE = re.compile(r"\\u0000|\\ud[89a-f]")  # As JSON writes NUL and surrogates.
DEAF_S = 30.0  # A body that ignores its alarm for so long is killed with its process.
RESULT_BYTES = 262_144  # Largest result of a step, as JSON.


@dataclass(frozen=True, kw_only=True)
class Runner:
    """What links of one process share."""

    db: Database
    publish: Publisher
    capabilities: Capabilities
    instance: str  # Names this worker process in leases.
    lease_ms: int
    heartbeat_ms: int


def perform(runner: Runner, claimed: Claim) -> tuple[Outcome, list[dict[str, object]]]:
    """Run the body of a claimed step; returns its outcome and its log lines, raises nothing but `Gone`."""
    step = catalogue.step_named(claimed.step["name"])
    with (
        Heartbeat(runner, claimed) as heartbeat,
        structlog.contextvars.bound_contextvars(
            run_id=claimed.run["id"], step=claimed.step["key"], attempt=claimed.step["attempt"]
        ),
    ):
        ctx = _context(runner, claimed, heartbeat.cancelled)
        heartbeat.live = live = LiveLog(runner.db, claimed, ctx.logs)
        try:
            with TimeLimit(_limit_ms(claimed), claimed.step["key"]):
                return _storable(_attempt(step, ctx, claimed)), live.rest()
        except WindlassError as error:
            return _failed(_as_step_error(error), ctx, claimed), live.rest()
        except Gone:
            raise
        except BaseException as error:  # CancelledError, KeyboardInterrupt: whatever it was, it has failed.
            log.exception("step.raised")
            return _failed(StepError(f"{type(error).__name__}: {error}"), ctx, claimed), live.rest()
        finally:
            REDACTOR.forget_all()


def _limit_ms(claimed: Claim) -> int:
    return 60_000 if claimed.step["kind"] == "operation" else int(claimed.step["timeout_ms"])


def _storable(outcome: Outcome) -> Outcome:
    """The outcome, when it can be stored; a result that cannot be is a permanent failure."""
    if isinstance(outcome, Suspended):
        outcome = replace(outcome, progress=legible(outcome.progress))
    value = outcome.result if isinstance(outcome, Done) else getattr(outcome, "ref", None)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Permanent(f"The step's result is not JSON: {error}") from None
    if UNSTORABLE.search(text) and legible(value) != json.loads(text):
        raise Permanent("The step's result holds text that cannot be stored: NUL, or half a surrogate pair")
    if len(text) > RESULT_BYTES:
        raise Permanent(
            f"The step's result has {len(text)} bytes; at most {RESULT_BYTES} are kept", limit=RESULT_BYTES
        )
    return outcome


def _failed(error: StepError, ctx: Context, claimed: Claim) -> Failed:
    """The error without any secret that the step has opened, nor the frames through which it came.

    Frames and error refer to each other: together they would stay in memory until the garbage collector runs.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    error.message, error.details = legible(REDACTOR.scrub(error.message)), legible(redact(error.details))
    if "stack" in error.details:  # Of an author's function.
        log.warning("step.failed", code=error.code, error=error.message, exception=error.details["stack"])
    return Failed(error, cleared=claimed.unsure and not ctx.unsure)


def _attempt(step: Step, ctx: Context, claimed: Claim) -> Outcome:
    if claimed.step["phase"] == "comp":
        return _undo(step, ctx, claimed.known)
    # With a reference the operation was started and the poll asks for it; there is nothing to observe. Chaos
    # plants this line as "an order that may have been sent is sent again unseen".
    if claimed.unsure and claimed.step["ref"] is None:
        seen = _observe(step, ctx, claimed)
        if seen is not None:
            return seen
    if step.spec.kind == "operation":
        return _operate(step, ctx, claimed)
    return Done(result_of(step.spec, call(step.body, ctx, claimed.known)))


def _observe(step: Step, ctx: Context, claimed: Claim) -> Outcome | None:
    """After a lost attempt: observe before acting; None lets the step be done (again)."""
    seen = _observation(step, ctx, claimed.known)
    if isinstance(seen, Happened):
        ctx.log("an earlier attempt took effect")
        return Done(result_of(step.spec, dict(seen.result)))
    if not step.at_most_once:
        return None
    if not isinstance(seen, NothingHappened):
        raise OutcomeUnknown(
            f"The worker was lost while {step.spec.title} ran, and whether it took effect cannot be told; "
            "it is not repeated: look at the machine, then resolve, resume or compensate the run",
            step=claimed.step["key"],
        )
    ctx.unsure = False
    return None


def _observation(step: Step, ctx: Context, known: Mapping[str, object]) -> object:
    """The result of the step's observation; when it raises, this attempt has changed nothing."""
    if step.observing is None:
        return None
    try:
        return call(step.observing, ctx, known)
    except WindlassError as error:
        failed = _as_step_error(error)
        # It only observed. Otherwise a management controller that does not answer for a moment would block
        # the run.
        failed.nothing_happened = True
        raise failed from None


def _operate(step: Step, ctx: Context, claimed: Claim) -> Outcome:
    known: Mapping[str, object] = claimed.known
    ref = claimed.step["ref"]
    if ref is None:
        ref = call(step.body, ctx, known) or {}
        if isinstance(ref, Finished):
            return Done(result_of(step.spec, dict(ref.result)))
        # Its hook was called before it was suspended: the first poll follows at once instead of waiting for a
        # time that is past.
        if known.get("called") is None:
            return Suspended(ref)
        known = {**known, "ref": ref}
    if step.polling is None:
        return Done(result_of(step.spec, known.get("called") or {}))
    seen = call(step.polling, ctx, known)
    if isinstance(seen, Again):
        return Suspended(ref, seen.progress)
    return Done(result_of(step.spec, seen))


def _undo(step: Step, ctx: Context, known: Mapping[str, object]) -> Outcome:
    if (
        step.aborting is not None
        and known.get("outcome") != StepOutcome.DONE
        and known.get("ref") is not None
    ):
        call(step.aborting, ctx, known)
    if step.undoing is not None:
        call(step.undoing.body, ctx, known)
    return Done({})


def _context(runner: Runner, claimed: Claim, cancelled: Callable[[], bool]) -> Context:
    return Context(
        run_id=claimed.run["id"],
        type=claimed.run["type"],
        step=claimed.step["key"],
        phase=claimed.step["phase"],
        attempt=claimed.step["attempt"],
        tries=claimed.step["tries"],
        fence=claimed.fence,
        unsure=claimed.unsure,
        goal=claimed.run["goal"],
        triggered_by=claimed.run["triggered_by"],
        db=runner.db,
        capabilities=runner.capabilities,
        cancelled=cancelled,
    )


def _as_step_error(error: WindlassError) -> StepError:
    if isinstance(error, StepError):
        return error
    made = StepError(error.message, **error.details)
    made.code = error.code  # type: ignore[misc]
    return made


class Heartbeat:
    """Renews the lease while a body runs, and says whether a cancel was requested."""

    def __init__(self, runner: Runner, claimed: Claim) -> None:
        self._runner, self._claimed = runner, claimed
        self._cancelled = False
        self.live: LiveLog | None = None  # What the body has logged.

    def cancelled(self) -> bool:
        """Whether the run was asked to stop, as of now."""
        if not self._cancelled:
            run_id = self._claimed.run["id"]
            self._cancelled = self._runner.db.read(lambda tx: runs.cancel_wanted(tx, run_id))
        return self._cancelled

    def __enter__(self) -> Self:
        _THREAD.start(self._runner, self._claimed, self)
        return self

    def __exit__(self, *_exc: object) -> None:
        _THREAD.stop()


class _HeartbeatThread:
    """One thread of a process: renews the lease of the running step, kills a body that ignores its alarm."""

    def __init__(self) -> None:
        # Until when the body may run at all, and whose lease it is.
        self._current: tuple[Runner, Claim, float, Heartbeat] | None = None
        self._pid = 0

    def start(self, runner: Runner, claimed: Claim, heartbeat: Heartbeat) -> None:
        """Begin to renew the lease of this claim."""
        self._current = (runner, claimed, time.monotonic() + _limit_ms(claimed) / 1000 + DEAF_S, heartbeat)
        if self._pid != os.getpid():
            threading.Thread(target=self._run, name="heartbeat", daemon=True).start()
            self._pid = os.getpid()  # Not before: where no thread could begin, the next step tries again.

    def stop(self) -> None:
        """The step has ended."""
        self._current = None

    def _run(self) -> None:
        while True:
            current = self._current
            pause = current[0].heartbeat_ms / 1000 if current else 1.0
            time.sleep(pause)
            if current is None or self._current is not current:
                continue
            runner, claimed, until, heartbeat = current
            if time.monotonic() > until:
                log.error("worker.deaf", run_id=claimed.run["id"], step=claimed.step["key"])
                os.kill(os.getpid(), signal.SIGKILL)  # Counts as a lost worker; another one takes the step.
            self._renew(runner, claimed)
            if heartbeat.live is not None:
                heartbeat.live.write()

    @staticmethod
    def _renew(runner: Runner, claimed: Claim) -> None:
        step = claimed.step
        try:
            # As patient as the lease is long: after that the step may be somebody else's, and only the fence
            # decides.
            kept = runner.db.write(
                lambda tx: runs.renew_lease(
                    tx,
                    claimed.run["id"],
                    step["phase"],
                    step["key"],
                    fence=claimed.fence,
                    lease_ms=runner.lease_ms,
                ),
                patience_s=runner.lease_ms / 1000,
            )
        except Exception as error:  # Without this thread no lease of this process would be renewed any more.
            log.warning("lease.unrenewed", run_id=claimed.run["id"], step=step["key"], error=str(error))
            return
        # The body goes on all the same: it cannot be interrupted safely, and its result will be refused. What
        # it sends from here on is checked where it must not be sent twice (`inventory.gates`).
        if not kept:
            log.warning("lease.lost", run_id=claimed.run["id"], step=step["key"], fence=claimed.fence)


_THREAD = _HeartbeatThread()
