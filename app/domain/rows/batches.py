"""Rows of the tables about batches; see `app.domain.rows.runs`."""

from typing import TypedDict

from app.domain.json import JsonObject


class BatchRow(TypedDict, total=False):
    """A row of ``batch``."""

    tenant_id: str
    run_id: str
    name: str
    version: str
    storage_backend: str
    parallel_limit: int
    rollback_enabled: bool
    definition: JsonObject | None
    source: str | None
    nickel_version: str | None
    warnings: list[str] | None
    chosen: JsonObject | None
    lineage: str
    retry_of: str | None
    checkpoint_every: int
    operations: int
    items: int
    rollback_run: str | None
    undone: str | None
    actor: str
    created_at: int


class EdgeRow(TypedDict, total=False):
    """A row of ``edge``."""

    tenant_id: str
    run_id: str
    needs: str
    key: str
    kind: str
    condition: str


class CheckpointRow(TypedDict, total=False):
    """A row of ``checkpoint``."""

    tenant_id: str
    run_id: str
    sequence: int
    name: str | None
    reason: str
    upto_seq: int
    actor: str | None
    created_at: int
    mirrored_at: int | None
    mirror_error: str | None


class InstanceRow(TypedDict, total=False):
    """A row of ``instance``."""

    tenant_id: str
    id: str
    provider: str
    account: str
    name: str
    plan: str
    zone: str
    resource_id: str | None
    address: str | None
    fingerprint: str | None
    state: str
    token: str
    incarnation: int
    lineage: str
    operation: str
    run_id: str
    created_at: int
    updated_at: int


class InstallationRow(TypedDict, total=False):
    """A row of ``installation``."""

    tenant_id: str
    id: str
    instance: str
    taskserv: str
    version: str | None
    state: str
    token: str
    incarnation: int
    lineage: str
    operation: str
    run_id: str
    created_at: int
    updated_at: int


class BatchTotalRow(TypedDict, total=False):
    """A row of ``batch_total``."""

    tenant_id: str
    provider: str
    type: str
    status: str
    slot: int
    operations: int
    duration_ms: int
