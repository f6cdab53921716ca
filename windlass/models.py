"""What the service sends, as frozen values. Times are aware, durations are milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windlass.decode import Model

ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class RunError(Model):
    """Why a run failed, and at which step; ``stack`` is the traceback of a code workflow."""

    code: str = ""
    message: str = ""
    step: str | None = None
    retry_from: str | None = None
    stack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step(Model):
    """One step of a run; a pending one has only a name and a status, an undo names what it ``undoes``."""

    name: str = ""
    status: str = "pending"
    detail: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    compensated_at: datetime | None = None
    retry_at: datetime | None = None
    duration_ms: int | None = None
    attempt: int | None = None
    queue: str | None = None
    branch: str | None = None
    undoes: str | None = None
    progress: str | None = None  # How far it is, as the step itself says.
    error: RunError | None = None
    timeout_ms: int | None = None
    undo: bool | None = None
    at_most_once: bool | None = None
    usual_ms: int | None = None
    p90_ms: int | None = None
    holder: str | None = None
    deadline_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WaitingOn(Model):
    """Why a run does not move: a lock, timer, poll, hook, worker or operator."""

    kind: str = ""
    text: str = ""  # The same as one sentence.
    step: str | None = None
    until: datetime | None = None
    queue: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run(Model):
    """One execution of a workflow type.

    ``status`` is one of pending, running, completed, failed, cancelled; ``detail`` carries the finer word.
    ``kind`` is declared, code or batch.
    """

    id: str = ""
    type: str = ""
    kind: str = ""
    status: str = "pending"
    detail: str = ""
    resource_type: str | None = None
    resource_id: str | None = None
    resource_name: str | None = None
    title: str | None = None
    version: str | None = None
    triggered_by: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_completion_at: datetime | None = None
    duration_ms: int | None = None
    usual_ms: int | None = None
    progress: int | None = None
    attempt: int | None = None
    attempts: int | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    steps: tuple[Step, ...] = ()
    compensation: tuple[Step, ...] = ()
    error: RunError | None = None
    waiting_on: WaitingOn | None = None
    needs_operator: bool = False
    on_failure: str | None = None
    tags: tuple[str, ...] = ()
    input: Mapping[str, Any] | None = None
    output: Any = None
    retry_of: str | None = None
    retried_by: tuple[str, ...] = ()
    parent_run_id: str | None = None
    from_step: str | None = None
    allowed_actions: tuple[str, ...] = ()
    refused_actions: Mapping[str, str] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED

    @property
    def settled(self) -> bool:
        """Whether it has ended, or does nothing more until an operator decides."""
        return self.ended or self.needs_operator


@dataclass(frozen=True, kw_only=True)
class Event(Model):
    """One line of a run's log; ``seq`` counts from 1 without gaps."""

    seq: int = 0
    type: str = ""
    phase: str | None = None
    step: str | None = None
    attempt: int | None = None
    actor: str | None = None
    at: datetime | None = None
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedStep(Model):
    """One step of a plan that has not been started; ``key`` is unique in it, ``name`` may repeat."""

    key: str = ""
    name: str = ""
    kind: str | None = None
    queue: str | None = None
    parallel: str | None = None
    target: str | None = None
    timeout_ms: int | None = None
    undo: bool = False
    at_most_once: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan(Model):
    """What a run would do, without doing it; ``compensation`` names steps in the order of their undo."""

    type: str = ""
    on_failure: str | None = None
    steps: tuple[PlannedStep, ...] = ()
    locks: tuple[Any, ...] = ()
    compensation: tuple[str, ...] = ()
    estimated_duration_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Server(Model):
    """A machine and what is known of it; ``allowed_actions`` is what its state permits now."""

    id: str = ""
    display_name: str | None = None
    description: str | None = None
    protocol: str | None = None
    bmc_address: str | None = None
    boot_mac: str | None = None
    serial: str | None = None
    pool_id: str | None = None
    persona: str | None = None
    tags: tuple[str, ...] = ()
    state: str = ""
    maintenance: bool = False
    power: str | None = None
    observed_at: datetime | None = None
    observed_age_ms: int | None = None
    run_id: str | None = None
    allowed_actions: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Capacity(Model):
    """How many servers a pool has, and how many of them can be taken."""

    total: int = 0
    free: int = 0


@dataclass(frozen=True, kw_only=True)
class Pool(Model):
    """A set of servers that provisioning takes from."""

    id: str = ""
    name: str = ""
    labels: Mapping[str, str] | None = None
    capacity: Capacity | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Source(Model):
    """One kind of object of a management cluster as it is watched: how fresh it is, what is in the way."""

    kind: str = ""
    observed_at: datetime | None = None
    observed_age_ms: int | None = None
    objects: int = 0
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Management(Model):
    """A Kubernetes cluster that makes other clusters and runs virtual machines."""

    id: str = ""
    name: str = ""
    description: str | None = None
    server: str = ""
    cluster_namespace: str = ""
    machine_namespace: str = ""
    kubeconfig_version: int = 0
    sources: tuple[Source, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Account(Model):
    """An account at a cloud, or on the service's host, where batches make servers."""

    id: str = ""
    name: str = ""
    provider: str = ""
    description: str | None = None
    endpoint: str | None = None
    region: str | None = None
    zones: Mapping[str, str] | None = None
    plans: Mapping[str, str] | None = None
    image: str | None = None
    ssh_user: str = ""
    ssh_port: int = 0
    calls_at_once: int = 0
    calls_a_second: int = 0
    credentials_version: int = 0
    public_key: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AccountCheck(Model):
    """What a provider says to an account; ``error`` has code and message when it refuses."""

    ok: bool = False
    name: str = ""
    clock_skew_ms: int | None = None
    zones: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Managed(Model):
    """Kept by a management cluster: what was asked for, and what was seen ``observed_age_ms`` ago."""

    id: str = ""
    name: str = ""
    display_name: str | None = None
    management_id: str | None = None
    state: str = ""
    tags: tuple[str, ...] = ()
    slow_since: datetime | None = None
    run_id: str | None = None
    observed_at: datetime | None = None
    observed_age_ms: int | None = None
    allowed_actions: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster(Managed):
    """A Kubernetes cluster."""

    template: str = ""
    credential: str = ""
    config: Mapping[str, Any] | None = None
    node_pools: tuple[Any, ...] = ()
    servers: tuple[str, ...] = ()
    dry_run: bool = False
    status: Mapping[str, Any] | None = None
    kubernetes_version: str | None = None
    available_upgrades: tuple[str, ...] = ()
    kubeconfig_ref: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Vm(Managed):
    """A virtual machine."""

    run_strategy: str = ""
    lifecycle: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class LastDue(Model):
    """What became of the last due time of a schedule; ``run_status`` is that of its run now."""

    due_at: datetime | None = None
    outcome: str = ""
    reason: str | None = None
    run_id: str | None = None
    run_status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule(Model):
    """What is started when; ``triggered_by`` finds its runs, ``missed`` counts due times without one."""

    id: str = ""
    name: str = ""
    type: str = ""
    workflow_version: str | None = None
    resource_id: str | None = None
    input: Any = None
    on_failure: str | None = None
    tags: tuple[str, ...] = ()
    cron: str | None = None
    timezone: str = "UTC"
    every_ms: int | None = None
    overlap: str = ""
    catch_up: str = ""
    catch_up_limit: int | None = None
    paused: bool = False
    paused_reason: str | None = None
    next_due_at: datetime | None = None
    next_due_times: tuple[datetime, ...] = ()
    last: LastDue | None = None
    started: int = 0
    missed: int = 0
    triggered_by: str = ""
    created_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Occurrence(Model):
    """What became of a due time, or of ``times`` of them that were missed in a row from it on."""

    id: str = ""
    due_at: datetime | None = None
    outcome: str = ""
    reason: str | None = None
    run_id: str | None = None
    times: int = 1
    manual: bool = False
    actor: str | None = None
    noted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Webhook(Model):
    """Where events are sent; ``secret`` is there only in the answer that made it."""

    id: str = ""
    url: str = ""
    events: tuple[str, ...] = ()
    description: str | None = None
    active: bool = True
    secret: str | None = None
    disabled_reason: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery(Model):
    """One event on its way to one webhook."""

    id: str = ""
    event: str | None = None
    run_id: str | None = None
    status: str = ""
    attempt: int = 0
    next_at: datetime | None = None
    created_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LockWaiter(Model):
    """A run that waits for a lock."""

    run_id: str = ""
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Lock(Model):
    """A resource that a run holds, at which step it is, and the runs that wait in their order."""

    resource: str = ""
    run_id: str = ""
    type: str | None = None
    detail: str | None = None
    step: str | None = None
    fence: int | None = None
    granted_at: datetime | None = None
    age_ms: int | None = None
    waiters: tuple[LockWaiter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WorkflowType(Model):
    """A kind of run that can be started, with the JSON Schema of its input."""

    type: str = ""
    resource: str | None = None
    description: str | None = None
    input_schema: Mapping[str, Any] | None = None
    steps: tuple[Any, ...] = ()
    on_failure: str | None = None
    hold_ms: int | None = None
    expected_duration_ms: int | None = None
    paused: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Summary(Model):
    """How many runs ended, and how; ``success_rate`` is 0 to 1."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    success_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metrics(Model):
    """Runs of a period in numbers; ``timing`` and ``failure_reasons`` as in the contract."""

    type: str | None = None
    period: Mapping[str, str] | None = None
    summary: Summary | None = None
    timing: Mapping[str, int | None] | None = None
    failure_reasons: tuple[Any, ...] = ()
    by_type: tuple[Any, ...] = ()
    interval: str | None = None
    buckets: tuple[Any, ...] = ()
    failures_by_step: tuple[Any, ...] = ()
    failures_by_resource: tuple[Any, ...] = ()
    steps: tuple[Any, ...] = ()
