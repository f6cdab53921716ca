"""Rows of the tables about runs, as queries give them and changes name them.

No key is required: a query may leave columns out, and a change names only some. A misspelt column is an error
of mypy all the same. `tests/architecture/test_rows.py` holds these types to the tables.
"""

from typing import TypedDict

from app.domain.json import JsonObject, JsonValue


class RunRow(TypedDict, total=False):
    """A row of ``run``."""

    tenant_id: str
    id: str
    type: str
    kind: str
    status: str
    goal: str | None
    resource_type: str | None
    resource_id: str | None
    triggered_by: str
    input: JsonObject
    output: JsonObject | None
    tags: list[str] | None
    on_failure: str
    error_code: str | None
    error_message: str | None
    error_step: str | None
    waiting_on: JsonObject | None
    priority: int
    idempotency_key: str | None
    request_hash: str | None
    callback_url: str | None
    parent_run_id: str | None
    parent_step: str | None
    version: str | None
    origin: str | None
    restarts: int
    limits: JsonObject | None
    context: JsonObject | None
    retry_of: str | None
    from_step: str | None
    traceparent: str | None
    event_seq: int
    log_bytes: int
    dispatch_gen: int
    expect_since: int | None
    expect_from: int | None
    expect_queue: str | None
    reserved_until: int | None
    dispatch_attempts: int
    paused_from: str | None
    cancel_requested_at: int | None
    cancel_mode: str | None
    eta_ms: int
    held_ms: int
    created_at: int
    started_at: int | None
    completed_at: int | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    stage: str | None
    began: int | None


class StepRow(TypedDict, total=False):
    """A row of ``step``."""

    tenant_id: str
    run_id: str
    phase: str
    key: str
    name: str
    kind: str
    queue: str
    branch: str
    given: JsonObject | None
    ref: JsonValue
    retry_at: int | None
    deadline_at: int | None
    signal: JsonValue
    reused_from: str | None
    undoes: str | None
    turn: str | None
    ordinal: int
    timeout_ms: int
    compensated_at: int | None
    lost: int
    gen: int
    polls: int
    pending: int
    succeeded: int
    failures: int
    alone: bool
    undoable: bool
    expect_since: int | None
    reserved_until: int | None
    attempt: int
    tries: int
    fence: int
    first_started_at: int | None
    started_at: int | None
    holder: str | None
    task_id: str | None
    lease_until: int | None
    completed_at: int | None
    unsure: bool
    status: str
    outcome: str
    progress: str | None
    output: JsonObject | None
    error: JsonObject | None


class EventRow(TypedDict, total=False):
    """A row of ``event``."""

    tenant_id: str
    run_id: str
    seq: int
    type: str
    phase: str | None
    step: str | None
    attempt: int | None
    actor: str | None
    payload: JsonObject | None
    at: int
    earlier: list[list[JsonValue]] | None


class TimerRow(TypedDict, total=False):
    """A row of ``timer``."""

    tenant_id: str
    id: str
    run_id: str
    phase: str | None
    step: str | None
    purpose: str
    due_at: int
    fired_at: int | None
    cancelled_at: int | None


class HookRow(TypedDict, total=False):
    """A row of ``hook``."""

    tenant_id: str
    id: str
    token_hash: str
    run_id: str
    step: str
    name: str | None
    action: str | None
    metadata: JsonObject | None
    status: str
    payload: JsonValue
    payload_hash: str | None
    created_at: int
    expires_at: int | None
    executed_at: int | None


class SignalRow(TypedDict, total=False):
    """A row of ``signal``."""

    tenant_id: str
    id: str
    run_id: str
    seq: int
    name: str
    payload: JsonValue
    idempotency_key: str | None
    payload_hash: str | None
    sender: str | None
    received_at: int | None
    consumed_by: str | None


class LockRow(TypedDict, total=False):
    """A row of ``lock``."""

    tenant_id: str
    resource: str
    run_id: str
    fence: int
    granted_at: int | None


class LockWaiterRow(TypedDict, total=False):
    """A row of ``lock_waiter``."""

    tenant_id: str
    resource: str
    ticket: str
    run_id: str
    since: int | None


class DefinitionRow(TypedDict, total=False):
    """A row of ``definition``."""

    tenant_id: str
    name: str
    version: str
    facts: JsonObject | None
    fingerprint: str
    created_at: int
    updated_at: int


class TypeStateRow(TypedDict, total=False):
    """A row of ``type_state``."""

    tenant_id: str
    type: str
    paused_at: int | None
    reason: str | None
    actor: str | None


class LockedRun(RunRow, total=False):
    """A run that this transaction has locked."""

    watched: frozenset[str]  # The events of it that somebody is told of.
