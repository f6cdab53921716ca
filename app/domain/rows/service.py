"""Rows of the tables about webhooks, schedules, keys and processes; see `app.domain.rows.runs`."""

from typing import TypedDict

from app.domain.json import JsonObject


class WebhookRow(TypedDict, total=False):
    """A row of ``webhook``."""

    tenant_id: str
    id: str
    url: str
    description: str | None
    events: list[str] | None
    active: bool
    disabled_reason: str | None
    failing_since: int | None
    run_id: str | None
    key_id: str | None
    secret: str | None
    old_secret: str | None
    old_until: int | None
    version: int
    created_at: int
    updated_at: int


class DeliveryRow(TypedDict, total=False):
    """A row of ``delivery``."""

    tenant_id: str
    id: str
    webhook_id: str
    run_id: str | None
    seq: int | None
    event: str
    body: str | None
    status: str
    attempt: int
    tries: int
    fence: int
    lease_until: int | None
    next_at: int | None
    put_off: bool
    created_at: int
    delivered_at: int | None


class AttemptRow(TypedDict, total=False):
    """A row of ``delivery_attempt``."""

    tenant_id: str
    delivery_id: str
    attempt: int
    status: int | None
    latency_ms: int | None
    answer: str | None
    error: str | None
    at: int


class ScheduleRow(TypedDict, total=False):
    """A row of ``schedule``."""

    tenant_id: str
    id: str
    name: str
    type: str
    workflow_version: str | None
    resource_id: str | None
    input: JsonObject | None
    on_failure: str | None
    tags: list[str] | None
    cron: str | None
    timezone: str
    every_ms: int | None
    anchor_at: int | None
    overlap: str
    catch_up: str
    catch_up_limit: int
    next_due_at: int | None
    paused_at: int | None
    paused_reason: str | None
    created_by: str
    started: int
    missed: int
    last: JsonObject | None
    version: int
    created_at: int
    updated_at: int


class OccurrenceRow(TypedDict, total=False):
    """A row of ``occurrence``."""

    tenant_id: str
    id: str
    schedule_id: str
    due_at: int
    manual: bool
    outcome: str
    reason: str | None
    run_id: str | None
    times: int
    actor: str | None
    noted_at: int | None
    closed_at: int | None


class ApiKeyRow(TypedDict, total=False):
    """A row of ``api_key``."""

    tenant_id: str
    id: str
    name: str
    prefix: str
    hash: str
    scopes: list[str] | None
    callback_secret: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None


class SessionRow(TypedDict, total=False):
    """A row of ``session``."""

    tenant_id: str
    id: str
    hash: str
    key_id: str
    agent: str | None
    created_at: int
    seen_at: int | None
    expires_at: int | None
    ended_at: int | None


class AuditRow(TypedDict, total=False):
    """A row of ``audit``."""

    tenant_id: str
    id: str
    actor: str
    key_id: str | None
    door: str | None
    action: str
    resource_type: str
    resource_id: str | None
    reason: str | None
    before: JsonObject | None
    after: JsonObject | None
    request_id: str | None
    created_at: int


class RequestRow(TypedDict, total=False):
    """A row of ``api_request``."""

    tenant_id: str
    principal: str
    route: str
    key: str
    hash: str
    status: int | None
    headers: JsonObject | None
    body: JsonObject | None
    at: int


class BeatRow(TypedDict, total=False):
    """A row of ``beat``."""

    tenant_id: str
    kind: str
    instance: str
    facts: JsonObject | None
    started_at: int | None
    at: int
