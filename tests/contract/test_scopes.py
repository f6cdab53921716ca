"""What a key may do follows from what a run touches, whichever door it comes through."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.auth.keys import SCOPES
from app.record.service import schedules as rows
from app.services import authority
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import T0, UNKNOWN, bearer, plant_run

RUNS, SCHEDULES = "/v1/workflows/runs", "/v1/schedules"
SHIPPED = sorted(
    name for name, kind in catalogue.types().items() if kind.compose.__module__.startswith("chains.")
)
RUN = f"{RUNS}/run_1"
# Doors through which a run comes to be, changes or ends: method, path, body.
DOORS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "start": ("POST", RUNS, {"type": "TYPE", "resourceId": f"srv_{UNKNOWN}", "input": {}}),
    "preview": ("POST", f"{RUNS}?dryRun=true", {"type": "TYPE", "resourceId": f"srv_{UNKNOWN}", "input": {}}),
    "cancel": ("POST", f"{RUN}/cancel", {}),
    "retry": ("POST", f"{RUN}/retry", {}),
    "act": ("POST", f"{RUN}/actions", {"action": "pause"}),
    "schedule": ("POST", SCHEDULES, {"name": "a", "type": "TYPE", "cron": "@daily", "input": {}}),
    "change a schedule": ("PATCH", f"{SCHEDULES}/SCHEDULE", {"name": "b"}),
    "pause a schedule": ("POST", f"{SCHEDULES}/SCHEDULE/pause", {}),
    "unpause a schedule": ("POST", f"{SCHEDULES}/SCHEDULE/unpause", {}),
    "run a schedule": ("POST", f"{SCHEDULES}/SCHEDULE/run", {}),
    "delete a schedule": ("DELETE", f"{SCHEDULES}/SCHEDULE", {}),
}


def test_every_type_that_works_on_something_declares_its_scope() -> None:
    kinds = [catalogue.lookup(name) for name in SHIPPED]
    assert {kind.name for kind in kinds if kind.scope == "runs:write"} == set()
    assert {kind.scope for kind in kinds} <= set(SCOPES)
    assert catalogue.lookup("server.lifecycle").scope == "servers:write"


@pytest.mark.parametrize("type_name", SHIPPED)
def test_no_door_lets_a_key_past_the_scope_of_a_type(
    guarded: FlaskClient, world: AppContext, type_name: str
) -> None:
    opening = [one for one in SCOPES if one in (authority.scope_of(type_name), "admin")]
    shut = [one for one in SCOPES if one not in opening]
    plant_run(world, "run_1", type=type_name, status="waiting")
    schedule = planted(world, type_name)
    told: dict[tuple[str, str], int] = {}
    for scope in (*shut, *opening):  # Who is refused changes nothing for those who are not.
        key = bearer(world, f"key-{SCOPES.index(scope)}", "runs:write", scope)
        told |= {(door, scope): status(guarded, key, door, type_name, schedule) for door in DOORS}
    assert {at for at, said in told.items() if said == 403} == {(door, one) for door in DOORS for one in shut}


def status(client: FlaskClient, key: Mapping[str, str], door: str, type_name: str, schedule: str) -> int:
    """What who knocks at a door with this key is answered."""
    method, path, body = DOORS[door]
    path, text = path.replace("SCHEDULE", schedule), json.dumps(body).replace("TYPE", type_name)
    return client.open(
        path, method=method, data=text, content_type="application/json", headers=key
    ).status_code


def planted(world: AppContext, type_name: str) -> str:
    """The id of a schedule of the type."""
    row = {"id": f"sch_{UNKNOWN}", "name": "known", "type": type_name, "cron": "@daily", "timezone": "UTC"}
    policies = {"overlap": "skip", "catch_up": "none", "anchor_at": T0, "created_by": "usr_operator"}
    world.db.write(lambda tx: rows.insert_schedule(tx, {**row, **policies, "input": {}, "version": 1}))
    return str(row["id"])
