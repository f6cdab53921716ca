"""The service's own: API keys, sessions, audit log, saved views, idempotent requests, heartbeats, facts."""

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

session = table(  # Of people who logged in with a key.
    "session",
    words("id", null=False),
    words("hash", null=False),  # SHA-256 of its token, the only form that is stored.
    words("key_id", null=False),
    words("agent"),
    moment("created_at"),
    moment("seen_at"),
    moment("expires_at"),
    moment("ended_at"),
    Index("uq_session_hash", "hash", unique=True),
    Index("ix_session_key", "tenant_id", "key_id"),
    Index("ix_session_newest", "tenant_id", "created_at", "id", "key_id"),
    Index("ix_session_expiry", "tenant_id", "expires_at"),
    key=("id",),
)

_WHEN = ("created_at", "id")
audit = table(  # Written by the transaction of the change that it tells of.
    "audit",
    words("id", null=False),
    words("actor", null=False),
    words("key_id"),
    words("door"),  # api, console, cli.
    words("action", null=False),  # "pool.change".
    words("resource_type", null=False),
    words("resource_id"),
    words("reason"),
    json("before"),  # The members that changed, without secrets.
    json("after"),
    words("request_id"),
    moment("created_at"),
    Index("ix_audit_newest", "tenant_id", *_WHEN),
    Index("ix_audit_actor", "tenant_id", "actor", *_WHEN),
    Index("ix_audit_action", "tenant_id", "action", *_WHEN),
    Index("ix_audit_type", "tenant_id", "resource_type", *_WHEN),
    Index("ix_audit_resource", "tenant_id", "resource_id", *_WHEN),
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

saved_view = table(  # Of the list of runs, by whoever saved it.
    "saved_view",
    words("id", null=False),
    words("actor", null=False),
    words("name", null=False),
    words("query", null=False),
    moment("created_at"),
    Index("uq_saved_view_name", "tenant_id", "actor", "name", unique=True),
    key=("id",),
)

meta = table("meta", words("key", null=False), words("value"), moment("at"), key=("key",))
