"""The inventory: servers, pools, and the gates in front of management controllers."""

from sqlalchemy import Index

from app.record.tables.columns import flag, json, moment, number, partial, table, words

pool = table(
    "pool",
    words("id", null=False),
    words("name", null=False),
    json("labels"),
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    Index("uq_pool_name", "tenant_id", "name", unique=True),
    key=("id",),
)

server = table(
    "server",
    words("id", null=False),
    words("display_name"),
    words("description"),
    json("tags"),
    words("persona"),
    words("pool_id"),
    words("protocol", null=False),
    words("bmc_address", null=False),
    words("bmc_system"),  # Id of the machine among several systems of one Redfish controller.
    words("bmc_fingerprint"),  # Of the certificate it is known by; none until it is seen next.
    words("credential"),  # Sealed; only workers can open it.
    number("credential_version"),
    words("boot_mac"),
    words("serial"),
    words("state", null=False),
    words("state_before"),  # What a cancelled run gives back.
    flag("maintenance"),
    words("maintenance_reason"),
    words("power"),
    words("health", null=False, server_default="unknown"),
    json("failure_reasons"),
    moment("identified_at"),  # When its machine last said who it is.
    moment("last_check_at"),
    moment("polled_at"),  # When its power was last asked for, answered or not.
    json("hardware"),
    json("image"),
    words("reserved_by"),
    words("run_id"),  # The run that last changed the state.
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    partial("uq_server_bmc", "tenant_id", "bmc_address", where="state <> 'decommissioned'", unique=True),
    Index("ix_server_newest", "tenant_id", "created_at", "id"),
    Index("ix_server_pool", "tenant_id", "pool_id", "state"),
    key=("id",),
)

bmc_gate = table(  # One session at a time, and no login storm after a refused one.
    "bmc_gate",
    words("server_id", null=False),
    words("holder"),
    moment("held_until"),
    number("refused"),
    moment("login_after"),
    key=("server_id",),
)

machine_claim = table(  # One machine is one server, whatever addresses its controller has.
    "machine_claim",
    words("identity", null=False),
    words("server_id", null=False),
    Index("ix_machine_claim_server", "tenant_id", "server_id"),
    key=("identity",),
)
