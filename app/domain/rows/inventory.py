"""Rows of the tables about servers, pools, clusters and virtual machines; see `app.domain.rows.runs`."""

from typing import TypedDict

from app.domain.json import JsonObject


class ServerRow(TypedDict, total=False):
    """A row of ``server``."""

    tenant_id: str
    id: str
    display_name: str | None
    description: str | None
    tags: list[str] | None
    persona: str | None
    pool_id: str | None
    protocol: str
    bmc_address: str
    bmc_system: str | None
    bmc_fingerprint: str | None
    credential: str | None
    credential_version: int
    boot_mac: str | None
    serial: str | None
    state: str
    state_before: str | None
    maintenance: bool
    maintenance_reason: str | None
    power: str | None
    health: str
    failure_reasons: list[JsonObject] | None
    identified_at: int | None
    last_check_at: int | None
    polled_at: int | None
    hardware: JsonObject | None
    image: JsonObject | None
    reserved_by: str | None
    run_id: str | None
    version: int
    created_at: int
    updated_at: int


class PoolRow(TypedDict, total=False):
    """A row of ``pool``."""

    tenant_id: str
    id: str
    name: str
    labels: JsonObject | None
    version: int
    created_at: int
    updated_at: int


class ManagementRow(TypedDict, total=False):
    """A row of ``management``."""

    tenant_id: str
    id: str
    name: str
    description: str | None
    server: str
    cluster_namespace: str
    machine_namespace: str
    access: str | None
    access_version: int
    version: int
    created_at: int
    updated_at: int


class ClusterRow(TypedDict, total=False):
    """A row of ``cluster``."""

    tenant_id: str
    id: str
    management_id: str
    name: str
    uid: str | None
    resource_version: str | None
    observed: JsonObject | None
    observed_at: int | None
    display_name: str | None
    description: str | None
    tags: list[str] | None
    state: str
    state_before: str | None
    slow_since: int | None
    failure_reasons: list[JsonObject] | None
    run_id: str | None
    version: int
    created_at: int
    updated_at: int
    template: str
    credential: str
    config: JsonObject | None
    node_pools: list[JsonObject] | None
    dry_run: bool
    cleanup_on_deletion: bool
    access: JsonObject | None


class VmRow(TypedDict, total=False):
    """A row of ``vm``."""

    tenant_id: str
    id: str
    management_id: str
    name: str
    uid: str | None
    resource_version: str | None
    observed: JsonObject | None
    observed_at: int | None
    display_name: str | None
    description: str | None
    tags: list[str] | None
    state: str
    state_before: str | None
    slow_since: int | None
    failure_reasons: list[JsonObject] | None
    run_id: str | None
    version: int
    created_at: int
    updated_at: int
    run_strategy: str
    content: JsonObject | None


class AllocationRow(TypedDict, total=False):
    """A row of ``allocation``."""

    tenant_id: str
    id: str
    owner_id: str
    server_id: str
    pool_id: str
    run_id: str
    image: JsonObject | None
    address: str | None
    provision_run: str | None
    release_run: str | None
    created_at: int
    released_at: int | None


class SourceRow(TypedDict, total=False):
    """A row of ``source``."""

    tenant_id: str
    management_id: str
    kind: str
    holder: str | None
    fence: int
    lease_until: int | None
    listed_at: int | None
    seen_at: int | None
    objects: int
    problem: str | None
    tally: JsonObject | None
    told_at: int | None
    run_id: str | None


class AccountRow(TypedDict, total=False):
    """A row of ``account``."""

    tenant_id: str
    id: str
    provider: str
    name: str
    description: str | None
    endpoint: str | None
    region: str | None
    zones: JsonObject | None
    plans: JsonObject | None
    image: str | None
    ssh_user: str
    ssh_port: int
    calls_at_once: int
    calls_a_second: int
    credential: str | None
    credential_version: int
    ssh_key: str | None
    ssh_key_version: int
    public_key: str | None
    version: int
    created_at: int
    updated_at: int
