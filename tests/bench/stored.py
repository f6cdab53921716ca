"""A year of runs as the engine would have left them, written straight into the real tables.

They are spread evenly over 365 days, 14 types and the five statuses; 17 actors, 5,000 resources, and two tags
each: one of 199 and one of 7. One text for both databases, since a million rows are made fastest by the
database itself.
"""

import sqlite3
import time
from collections.abc import Iterable

import psycopg

YEAR_MS = 365 * 86_400_000
ACTORS, RESOURCES, RACKS, TEAMS = 17, 5_000, 199, 7
TYPES = (
    *("server.register", "server.inspect", "server.provision", "server.lifecycle", "server.decommission"),
    *("cluster.create", "cluster.scale", "cluster.upgrade", "cluster.delete"),
    *("vm.create", "vm.power", "vm.delete", "sync.server-state", "sync.cluster-state"),
)
STATUSES = ("queued", "running", "completed", "failed", "cancelled")
CODES = ("BMC_CONNECTION_FAILED", "BMC_AUTH_FAILED", "POOL_CAPACITY_EXCEEDED", "STEP_FAILED")
STEPS = ("validate", "act", "wait")
FIRST, _ZEROS = 1_000_000, "0" * 19  # Ids are numbers of 26 digits.


def store(url: str, count: int) -> None:
    """Write so many runs with their steps and tags into a migrated, empty database, and let it take stock."""
    now = time.time_ns() // 1_000_000
    lite = url.startswith("sqlite")
    statements = [_runs(count, now, "text" if lite else "json"), _STEPS, _tags(lite)]
    if lite:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            # The pages of fifteen indexes are changed all over the place: in memory, and written once.
            file.execute("PRAGMA cache_size = -2000000")
            file.execute("PRAGMA synchronous = OFF")
            for statement in statements:
                file.execute(statement)
        file.close()
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # No look at every foreign key.
        for statement in [*statements, "VACUUM (ANALYZE)"]:
            connection.execute(statement.encode())


def resource(number: int) -> str:
    """One of the resources."""
    return f"srv_{RESOURCES * 10**21 + number:026}"


def _values(names: Iterable[str]) -> str:
    return ", ".join(f"({number}, '{name}')" for number, name in enumerate(names))


def _runs(count: int, now: int, json: str) -> str:
    rack, team = f"CAST(noise % {RACKS} AS text)", f"CAST(noise % {TEAMS} AS text)"
    tags = f"""CAST('["rack-' || {rack} || '", "team-' || {team} || '"]' AS {json})"""
    named = "CASE WHEN type LIKE 'sync.%' THEN NULL ELSE"
    kind = " ".join(f"WHEN type LIKE '{kind}.%' THEN '{kind}'" for kind in ("server", "cluster", "vm"))
    return f"""
WITH RECURSIVE
number (i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM number WHERE i + 1 < {count}),
kind (n, type) AS (VALUES {_values(TYPES)}),
state (n, status) AS (VALUES {_values(STATUSES)}),
reason (n, code) AS (VALUES {_values(CODES)}),
made AS (
    SELECT i, {now - YEAR_MS} + i * {YEAR_MS} / {count} AS at, type, status, code, i * 7919 % 1000003 AS noise
    FROM number JOIN kind ON kind.n = i % {len(TYPES)}
    JOIN state ON state.n = i / {len(TYPES)} % {len(STATUSES)}
    JOIN reason ON reason.n = i / {len(TYPES) * len(STATUSES)} % {len(CODES)}
)
INSERT INTO run (
    tenant_id, id, type, status, resource_type, resource_id, triggered_by, input, tags, on_failure,
    error_code, error_message, error_step, event_seq, dispatch_gen, expect_since, expect_from, expect_queue,
    eta_ms, created_at, started_at, completed_at
)
SELECT 'default', 'run_{_ZEROS}' || CAST({FIRST} + i AS text), type, status, CASE {kind} END,
    {named} 'srv_{_ZEROS}' || CAST({FIRST} + noise % {RESOURCES} AS text) END,
    'usr_' || CAST(noise % {ACTORS} AS text), '{{"image": "http://images.example/debian-12.qcow2"}}',
    {tags},
    'compensate', CASE status WHEN 'failed' THEN code END,
    CASE status WHEN 'failed' THEN 'it did not answer' END, CASE status WHEN 'failed' THEN 'act' END,
    12, 1, CASE status WHEN 'queued' THEN at END, CASE status WHEN 'queued' THEN at END,
    CASE status WHEN 'queued' THEN 'default' END, 60000, at,
    CASE WHEN status <> 'queued' THEN at + 40 END,
    CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN at + 40 + noise % 600000 END
FROM made ORDER BY i
"""


_STEPS = f"""
WITH place (n, key) AS (VALUES {_values(STEPS)})
INSERT INTO step (
    tenant_id, run_id, phase, key, ordinal, name, kind, queue, status, timeout_ms, attempt, outcome,
    first_started_at, started_at, completed_at
)
SELECT tenant_id, run.id, 'forward', key, n, key, 'task', 'default',
    CASE WHEN status = 'queued' THEN 'pending' WHEN status = 'completed' OR n = 0 THEN 'completed'
        WHEN n = 2 THEN 'pending' WHEN status = 'running' THEN 'waiting' ELSE 'failed' END,
    60000, 1, 'done', started_at, started_at, completed_at
FROM run, place ORDER BY run.id, n
"""


def _tags(lite: bool) -> str:
    each = "json_each(run.tags)" if lite else "json_array_elements_text(tags) AS each (value)"
    return f"""
INSERT INTO run_tag (tenant_id, run_id, tag, type, created_at)
SELECT run.tenant_id, run.id, value, run.type, run.created_at FROM run, {each} ORDER BY run.id
"""
