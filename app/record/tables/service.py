"""The service's own: API keys, idempotent requests, heartbeats, facts."""

from sqlalchemy import Column, Index, Integer

from app.record.tables.columns import json, moment, partial, table, words

api_key = table(
    "api_key",
    words("id", null=False),
    words("name", null=False),
    words("prefix", null=False),
    words("hash", null=False),
    json("scopes"),
    words("callback_secret"),  # Sealed; signs the callbacks of runs that this key started.
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at"),
    moment("used_at"),
    Index("uq_api_key_prefix", "prefix", unique=True),
    partial("uq_api_key_name", "tenant_id", "name", where="revoked_at IS NULL", unique=True),
    key=("id",),
)

api_request = table(  # Idempotency-Key of any POST: the stored answer, for 24 hours.
    "api_request",
    words("principal", null=False),
    words("route", null=False),
    words("key", null=False),
    words("hash", null=False),
    Column("status", Integer),
    json("headers"),
    json("body"),
    moment("at"),
    Index("ix_api_request_age", "tenant_id", "at"),
    key=("principal", "route", "key"),
)

beat = table(
    "beat",
    words("kind", null=False),  # reconciler, worker, api.
    words("instance", null=False),
    json("facts"),
    moment("started_at"),
    moment("at"),
    key=("kind", "instance"),
)

meta = table("meta", words("key", null=False), words("value"), moment("at"), key=("key",))
