"""Advance a run by calling its function from the top, and write down how that ended.

1. Find the function of the run's version. A worker that does not have it gives the run back (`elsewhere`).
2. Call it with the results of its earlier calls. A call that has a result returns it; the first that has none
   is done by the `Host`, which writes results with whatever comes next.
3. It waits: its calls are stored and `main` is suspended. It returned, raised, or restarts: `main` ends.
4. It made another call than the recorded one: nothing is undone, and the run is blocked until changed code
   comes.
5. Each write is under the fence of this advance. `Fenced`: somebody else advances the run, or nobody any
   more; what this one knows is dropped.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from app.auth.secrets import REDACTOR
from app.domain.events import EventType
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import RunStatus, StepOutcome, StepStatus
from app.engine.code.signals import hand_over as hand_over_signals
from app.engine.code.start import Seal, start_again
from app.engine.code.suspend import elsewhere, hand_over
from app.engine.reconciler import schedules
from app.engine.transitions.advance import failed, succeeded
from app.engine.transitions.claim import Claim
from app.engine.transitions.compensate import block
from app.engine.transitions.journal import Journal
from app.record.runs import timers
from app.worker.code.failure import log_facts, scrubbed
from app.worker.code.pending_writes import Fenced, TooManyEvents
from app.worker.code.replay_host import Host
from app.worker.execute import Heartbeat, Runner
from windlass.calls import Diverged, Info, Outcome, Raised, Restarted, Returned
from windlass.replay import replay
from windlass.workflow import Definition, definition

log = structlog.get_logger(__name__)
OVER: Mapping[str, Any] = {"lease_until": None, "progress": None}


def advance(runner: Runner, claimed: Claim) -> str:
    """Advance the run of this claim; returns how its main step stands then."""
    host, run = Host(runner, claimed), claimed.run
    with (
        Heartbeat(runner, claimed),
        structlog.contextvars.bound_contextvars(run_id=run["id"], advance=claimed.step["attempt"]),
    ):
        try:
            known = _known(host, claimed.run)
            if known is not None:
                host.start_the_clock()
                _write(host, _outcome(host, claimed, known))
        except Fenced:
            return "fenced"
        except TooManyEvents:
            host.end_full()
        finally:
            REDACTOR.forget_all()
    return host.status


def _known(host: Host, run: RunRow) -> Definition | None:
    """The function; None when this worker has it not, and has left the run to others."""
    try:
        return definition(run["type"], run["version"])
    except LookupError:
        message = f"this worker has no workflow {run['type']}@{run['version']}, whose queue it serves"
        log.error("workflow.unknown", workflow=run["type"], version=run["version"])
        facts = {"code": "UNKNOWN_WORKFLOW", "message": message}
        host.end(lambda j, main: elsewhere(j, main, facts))
        return None


def _outcome(host: Host, claimed: Claim, known: Definition) -> Outcome:
    run = claimed.run
    info = Info(
        run_id=run["id"],
        parent_run_id=run["parent_run_id"],
        workflow=run["type"],
        version=run["version"] or "",
        advance=claimed.step["attempt"],
    )
    given = run["input"] or {}
    return replay(known, given.get("args") or [], given.get("kwargs") or {}, host.history(), host, info)


def _write(host: Host, outcome: Outcome) -> None:
    if isinstance(outcome, Returned):
        host.end(lambda j, main: _returned(j, main, outcome.value), plain=True)
    elif isinstance(outcome, Raised):
        host.end(lambda j, main: _raised(j, main, outcome.error))
    elif isinstance(outcome, Restarted):
        host.end(lambda j, main: _restarted(j, main, outcome, host.seal))
    elif isinstance(outcome, Diverged):
        host.end(lambda j, main: _diverged(j, main, outcome))


def _returned(j: Journal, main: StepRow, value: object, **more: object) -> None:
    output = {"value": value, **more}
    j.move(
        main,
        StepStatus.COMPLETED,
        **OVER,
        output=output,
        outcome=StepOutcome.DONE,
        error=None,
        completed_at=j.now,
    )
    j.event(EventType.STEP_COMPLETED, main, output=output)
    succeeded(j, main)


def _raised(j: Journal, main: StepRow, error: Mapping[str, object]) -> None:
    facts = scrubbed(error)
    log.warning("run.raised", **log_facts(facts))
    j.move(main, StepStatus.FAILED, **OVER, error=facts, completed_at=j.now)
    j.event(EventType.STEP_FAILED, main, error=facts)
    if j.run["error_code"] is None:
        step = (facts.get("details") or {}).get("step") or main["key"]
        j.set(error_code=facts["code"], error_message=facts["message"], error_step=step)
    failed(j, main, facts)


def _restarted(j: Journal, main: StepRow, outcome: Restarted, seal: Seal) -> None:
    # A stop that is armed and not fired yet is meant for this run; a fresh one would go on without having
    # heard of it.
    if j.status != RunStatus.RUNNING or timers.armed(j.tx, j.id, "stop"):
        hand_over(j, main)
        return
    following = start_again(j, outcome.args, outcome.kwargs, seal)
    # All in one transaction with the end of this run: a signal that was accepted is read by one of the two
    # (I9).
    signals = hand_over_signals(j, following)
    following.flush()
    j.messages += following.messages
    schedules.follow(j, following.id)
    j.event(EventType.RUN_RESTARTED, main, following=following.id, signals=signals)
    j.set(parent_step=None)  # Whoever waits for this run waits for the one that goes on in its place.
    _returned(j, main, None, restartedAs=following.id)


def _diverged(j: Journal, main: StepRow, outcome: Diverged) -> None:
    message = (
        f"the code is not that of this run's history: at call {outcome.call} history has {outcome.expected}, "
        f"the code made {outcome.found}; start a worker whose code makes the same calls, or compensate it"
    )
    details = {"call": outcome.call, "expected": outcome.expected, "found": outcome.found}
    facts = {"code": "NONDETERMINISM", "message": message, "details": details}
    j.move(main, StepStatus.FAILED, **OVER, error=facts, completed_at=j.now)
    j.event(EventType.STEP_FAILED, main, error=facts)
    block(j, main, facts)
