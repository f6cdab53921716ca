"""What the service says of code workflows, as frozen values. Times are aware, durations are milliseconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windlass.decode import Model
from windlass.models import ENDED, RunError


@dataclass(frozen=True, kw_only=True)
class WorkflowRun(Model):
    """One run of a code workflow.

    ``status`` is one of pending, running, completed, failed, cancelled; ``detail`` carries the finer word.
    ``waiting_on`` says why it does not move; ``deployment_id`` is the version of the workflow. The message of
    ``error`` leads with the type of the exception that left the function. ``restarted_from`` is the first of
    the runs that went on afresh (ctx.restart) until this one, ``restarted_as`` the one right after this.
    """

    run_id: str = ""
    workflow_name: str = ""
    deployment_id: str = ""
    status: str = "pending"
    detail: str = ""
    input: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    output: Any = None
    error: RunError | None = None
    waiting_on: Mapping[str, Any] | None = None
    execution_context: Mapping[str, Any] | None = None
    parent_run_id: str | None = None
    restarted_from: str | None = None
    restarted_as: str | None = None
    idempotency_key: str | None = None
    max_events: int | None = None
    execution_timeout: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED


@dataclass(frozen=True, kw_only=True)
class WorkflowRuns(Model):
    """A page of runs, the newest first; ``cursor`` asks for the next one."""

    data: tuple[WorkflowRun, ...] = ()
    cursor: str | None = None
    has_more: bool = False

    def __iter__(self) -> Iterator[WorkflowRun]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, kw_only=True)
class WorkflowEvent(Model):
    """One line of a run's log: the service's own, or one that a user emitted."""

    event_id: str = ""
    run_id: str = ""
    seq: int = 0
    event_type: str = ""
    payload: Any = None
    correlation_id: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WorkflowHook(Model):
    """A hook; whoever calls its ``token``, which is shown this once, sends the run the signal of its name."""

    hook_id: str = ""
    run_id: str = ""
    token: str = ""
    name: str = ""
    action: str | None = None
    metadata: Mapping[str, Any] | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WorkflowDefinition(Model):
    """A code workflow that workers have announced; ``served``: one of them is there now."""

    workflow_name: str = ""
    deployment_id: str = ""
    description: str = ""
    max_events: int | None = None
    execution_timeout: int | None = None
    step_timeout: int | None = None
    served: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
