"""What an operator reads when something failed: what, to which resource, at which step, what to do."""

from collections.abc import Iterator, Mapping
from typing import Any

import windlass
from app.domain import errors
from windlass import Batch, Run, WorkflowRun

Ours = windlass.WindlassError | errors.WindlassError

# By public code: what to do next.
TO_DO = {
    "CONNECTION_FAILED": "start it with `windlass up`, or name it with --url or WINDLASS_URL",
    "UNAVAILABLE": "see that the database answers (`windlass db check`), then try again",
    "RATE_LIMITED": "try again later",
    "UNAUTHORIZED": "give a key with --api-key or WINDLASS_API_KEY; `windlass key create` makes one",
    "FORBIDDEN": "use a key that has the scope; `windlass key list` shows them",
    "QUOTA_EXCEEDED": "free something, or ask for a larger quota",
    "VALIDATION_ERROR": "--help shows what is accepted",
    "NOT_FOUND": "look for it with the `list` of the same noun",
    "INVALID_STATE_TRANSITION": "look at its present state with `get`",
    "POOL_CAPACITY_EXCEEDED": "`windlass pool list` shows what is free",
    "PRECONDITION_FAILED": "read it again and repeat the change",
    "WAIT_TIMEOUT": "it goes on by itself: `windlass run watch {run}`",
    "SETTINGS_INVALID": "correct the environment variables named above",
    "SCHEMA_BEHIND": "`windlass db upgrade`",
    "INTERNAL_ERROR": "look into the service's log for the request named above",
}
# By the state that a run was left in: what an operator may do.
CHOICES = {
    "failed_held": (
        "mend it, then `windlass run resume {run}` or `windlass run retry {run}{begin}`",
        "or undo it: `windlass run compensate {run}`",
    ),
    "blocked": (
        "find out whether {step} took effect; if so: `windlass run resolve {run} {step}`",
        "if not: `windlass run resume {run}` does it again",
        "or undo everything: `windlass run compensate {run}`",
    ),
    "compensation_failed": (
        "the undo of {undo} failed: mend it, then `windlass run resume {run}`",
        "or undo it by hand, then `windlass run resolve {run} {undo}`",
    ),
    "failed": (
        "`windlass run events {run}` tells how it came to this",
        "mend it, then `windlass run retry {run}{begin}`",
    ),
    "cancelled": ("`windlass run retry {run}` starts it anew",),
}
# For a held run whose failed step cannot be repeated by itself.
BEGUN_AGAIN = (
    "mend it, then `windlass run resume {run}`: a new run takes over at {at}, since {step} alone would wait "
    "for what never comes",
    "or undo it: `windlass run compensate {run}`",
)
# By the code of the error that stopped a run, where that says more than the state.
CHOICES_OF_CODE = {
    "NONDETERMINISM": (
        "start a worker whose code makes the calls of this run's history again: it resumes the run",
        "or, with such a worker there: `windlass run resume {run}`",
        "or undo everything: `windlass run compensate {run}`",
    ),
}
DETAILS = (
    ("resource", "resource"),
    ("step", "step"),
    ("blockingSteps", "steps in the way"),
    ("earliestStep", "earliest step"),
    ("allowedActions", "allowed now"),
    ("scope", "scope needed"),
    ("limit", "limit"),
    ("reason", "reason"),
    ("candidates", "could be"),
)


def explain(error: Ours, resource: str = "") -> str:
    """Several lines about an error; `resource` is what the command was about."""
    code = str(error.code)
    lines = [f"Error: {error.message} [{code}]", *_facts(error.details, resource, error.message)]
    request_id = getattr(error, "request_id", None)
    if request_id:
        lines.append(f"  request: {request_id}")
    return "\n".join((*lines, *_advice(error, code)))


def of_run(run: Run) -> str:
    """Several lines about a run that did not end well."""
    held = run.needs_operator
    word = f"needs an operator ({run.detail})" if held else run.status
    lines = [f"Run {run.id} ({run.type}) {word}{_because(run)}"]
    if run.resource_id:
        lines.append(f"  resource: {run.resource_type}/{run.resource_id}")
    if run.error and run.error.step:
        lines.append(f"  step: {run.error.step}")
    return "\n".join((*lines, *(f"  to do: {each}" for each in _choices(run))))


def _because(run: Run) -> str:
    return f": {run.error.message} [{run.error.code}]" if run.error else ""


def _choices(run: Run) -> Iterator[str]:
    """What an operator may do, by the fine word of the run's state."""
    step = run.error.step if run.error else None
    undo = next((each for each in run.compensation if each.status == "failed"), None)
    undone = any(each.compensated_at for each in run.steps)
    begin = (run.error.retry_from if run.error else None) or step
    names = {
        "run": run.id,
        "step": (run.waiting_on.step if run.waiting_on else None) or step,
        "undo": (undo.undoes or undo.name) if undo else "",
        # Once effects are gone a retry cannot begin in the middle.
        "begin": f" --from {begin}" if begin and not undone else "",
        "at": begin or "",
    }
    by_code = CHOICES_OF_CODE.get(run.error.code if run.error else "") if run.needs_operator else None
    choices = by_code or CHOICES.get(run.detail, CHOICES.get(run.status, ()))
    if not by_code and run.detail == "failed_held" and begin != step:
        choices = BEGUN_AGAIN
    yield from (choice.format(**names) for choice in choices)


def _facts(details: Mapping[str, Any], resource: str, said: str) -> Iterator[str]:
    """What is known of an error beside what its message has said."""
    if resource and "resource" not in details:
        yield f"  resource: {resource}"
    for name, title in DETAILS:
        value = details.get(name)
        if value:
            yield f"  {title}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
    fields = details.get("fields") or {}
    for field, problem in fields.items():
        if len(fields) > 1 or f"{field}: {problem}" not in said:
            yield f"  field {field}: {problem}"
    holder = details.get("holder")
    if isinstance(holder, Mapping):
        yield f"  held by: {_holder(holder)}" + (f", step {holder['step']}" if holder.get("step") else "")


def _advice(error: Ours, code: str) -> Iterator[str]:
    holder = error.details.get("holder")
    if isinstance(holder, Mapping):
        run = _holder(holder)
        yield f"  to do: follow it with `windlass run watch {run}`, or wait your turn with --queue"
    elif code == "CONFLICT" and error.details.get("server"):
        known = error.details["server"]
        yield f"  to do: it is known already: `windlass server get {known}` shows it,"
        yield f"         `windlass server inspect {known} --wait` reads it anew"
    elif code == "CONFLICT" and error.details.get("candidates"):
        yield "  to do: name one of them by its id"
    elif code in TO_DO:
        run = _id_of(error.run) if isinstance(error, windlass.WaitTimeout) else ""
        yield f"  to do: {TO_DO[code].format(run=run)}"


def _id_of(run: Run | WorkflowRun | Batch) -> str:
    if isinstance(run, Batch):
        return run.workflow_id
    return run.id if isinstance(run, Run) else run.run_id


def _holder(holder: Mapping[str, object]) -> str:
    return str(holder.get("runId") or holder.get("run") or "")
