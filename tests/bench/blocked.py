"""Runs that stand: a third waits for a lock, a third polls something outside, a third is paused."""

import psycopg

from tests.bench.types import line

KINDS = ("lock_waiting", "waiting", "paused")
RESOURCE = "server/srv_held"


def block(url: str, count: int) -> None:
    """Write so many of them into PostgreSQL, with steps, timers and places in the line for the lock."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in (_RUNS + str(count) + ") AS i", *_WHAT_BELONGS, "VACUUM (ANALYZE)"):
            connection.execute(statement.encode())


_KIND = " ".join(f"WHEN {number} THEN '{kind}'" for number, kind in enumerate(KINDS))
_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_RUNS = f"""
INSERT INTO run (
    tenant_id, id, type, status, triggered_by, on_failure, input, waiting_on, event_seq, dispatch_gen,
    created_at, started_at
)
SELECT 'default', 'run_blocked_' || i, '{line.name}', CASE i % 3 {_KIND} END, 'usr_bench', 'compensate',
    '{{"ms": 0}}', CASE i % 3 WHEN 0 THEN '{{"kind": "lock", "resource": "{RESOURCE}"}}'::json
        WHEN 1 THEN '{{"kind": "poll", "step": "work"}}'::json END,
    3, 1, {_NOW} - i, CASE i % 3 WHEN 0 THEN NULL ELSE {_NOW} - i END
FROM generate_series(1, """
_WHAT_BELONGS = (
    f"""
INSERT INTO step (
    tenant_id, run_id, phase, key, ordinal, name, kind, queue, status, timeout_ms, given, attempt, retry_at
)
SELECT tenant_id, run.id, 'forward', 'work-' || n, n, 'work', 'task', 'default',
    CASE WHEN status = 'waiting' AND n = 1 THEN 'waiting' ELSE 'pending' END, 60000, '{{"place": 1}}',
    CASE WHEN status = 'waiting' AND n = 1 THEN 1 ELSE 0 END,
    CASE WHEN status = 'waiting' AND n = 1 THEN {_NOW} + 3600000 END
FROM run, generate_series(1, 5) AS n WHERE run.id LIKE 'run_blocked_%'
""",
    f"""
INSERT INTO timer (tenant_id, id, run_id, phase, step, purpose, due_at)
SELECT tenant_id, 'tmr_' || id, id, 'forward', 'work-1', 'poll', {_NOW} + 3600000
FROM run WHERE status = 'waiting' AND id LIKE 'run_blocked_%'
""",
    f"""
INSERT INTO lock (tenant_id, resource, run_id, fence, granted_at)
VALUES ('default', '{RESOURCE}', 'run_blocked_1', 1, {_NOW})
""",
    f"""
INSERT INTO lock_waiter (tenant_id, resource, ticket, run_id, since)
SELECT tenant_id, '{RESOURCE}', id, id, created_at FROM run WHERE status = 'lock_waiting'
""",
)
