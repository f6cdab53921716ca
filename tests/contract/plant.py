"""Rows as the engine would have left them, and small readers of answers."""

from typing import Any, Unpack

from sqlalchemy import insert

from app.domain.rows.runs import RunRow
from app.record import tables
from app.record.runs import runs
from app.services import keys
from app.services.context import AppContext

T0 = 1_768_305_600_000  # 2026-01-13T12:00:00Z
UNKNOWN = "01kc9v5q8w3f7x2m4n6p8r0t1v"  # Well-formed behind any prefix, and nobody's.
REGISTRATION = {
    "protocol": "ipmi",
    "bmcAddress": "127.0.0.1:9401",
    "bmcCredential": {"username": "operator", "password": "canary-Xq7"},
    "displayName": "rack 7",
}


def bearer(world: AppContext, name: str, *scopes: str) -> dict[str, str]:
    """The header of a fresh key."""
    _, token, _ = keys.create(world, name, scopes)
    return {"Authorization": f"Bearer {token}"}


def plant_run(world: AppContext, run_id: str, **changes: Unpack[RunRow]) -> str:
    """A run as the engine would have left it."""
    given: RunRow = {
        "id": run_id,
        "type": "server.inspect",
        "status": "running",
        "triggered_by": "usr_operator",
        "on_failure": "compensate",
        "created_at": T0,
        "started_at": T0,
        "eta_ms": 60_000,
    }
    given["expect_from"] = changes.get("expect_since")
    world.db.write(lambda tx: runs.insert_run(tx, {**given, **changes}))
    return run_id


def plant_events(world: AppContext, run_id: str, *kinds: str) -> None:
    """The log of a run, from its first event on."""
    rows = [
        {"tenant_id": world.db.tenant, "run_id": run_id, "seq": seq, "type": kind, "at": T0 + seq}
        for seq, kind in enumerate(kinds, start=1)
    ]
    world.db.write(lambda tx: tx.execute(insert(tables.event), rows))


def plant_server(world: AppContext, server_id: str, **changes: Any) -> str:
    """A server as a registration would have left it."""
    given: dict[str, Any] = {
        "id": server_id,
        "protocol": "ipmi",
        "bmc_address": f"10.0.0.1/{server_id}",
        "state": "available",
        "health": "healthy",
        "version": 1,
        "created_at": T0,
        "updated_at": T0,
        "credential": "v1.key.sealed-canary",
        "credential_version": 1,
    }
    world.db.write(lambda tx: tx.execute(insert(tables.server), {"tenant_id": tx.tenant, **given, **changes}))
    return server_id


def ids(answer: Any) -> list[str]:
    """The ids of a list."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [row["id"] for row in answer.get_json()["data"]]
