"""Batches and an application of the Workflow DevKit, each in a state that calls for somebody."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app.api.apps.application import create_apps
from app.record.apps import messages
from app.record.apps.scope import Scope
from app.services.context import AppContext
from tests.integration.batches.rig import Rig, failing, servers

APP = "@shop/orders"
RUN = "wrun_1"
WORKFLOW, STEP = "workflow//./workflows/order//order", "step//./workflows/order//charge"
Row = dict[str, Any]
FACTS: Row = {"workflowName": WORKFLOW, "deploymentId": "v1", "input": []}
STEP_FACTS: Row = {"stepName": STEP, "input": []}


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Ids of batches."""

    failed: str
    awaits: str


def plant_batches(world: AppContext, folder: Path) -> Batches:
    """One batch that failed in its middle, and one in which an operation waits for an approval."""
    rig = Rig(world.db, folder)
    bad = failing("db", needs=["web"], on_failure="fail")
    late = servers("proxy", needs=["web", {"id": "db", "type": "soft"}])
    return Batches(
        failed=rig.run(servers("web", "web-1", "web-2"), bad, late, servers("late", needs=["db"])),
        awaits=rig.run(servers("first"), servers("last", needs=["first"], approval=True)),
    )


def plant_app(world: AppContext) -> None:
    """An application with an open run, a message that waits and one that could not be delivered."""
    api = _apps_api(world)
    assert api.post("/api/v1/apps", json={"appId": APP}).status_code == 201
    tell(world, RUN, "run_created", FACTS)
    tell(world, RUN, "run_started", {})
    tell(world, RUN, "step_created", STEP_FACTS, "step_a")
    tell(world, RUN, "step_started", {}, "step_a")
    for version in ("v0", "v1"):
        order = {"queueName": f"__wkf_{WORKFLOW}", "deploymentId": version, "message": {"runId": RUN}}
        assert api.post(f"/api/v1/apps/{APP}/queue", json=order).status_code == 201
    world.db.write(lambda tx: messages.kill(tx, Scope.of(tx, APP), version="v0"))


def tell(world: AppContext, run_id: str, kind: str, data: Row, about: str | None = None) -> None:
    """The application says that something has happened."""
    body = {"eventType": kind, "eventData": data, **({"correlationId": about} if about else {})}
    answer = _apps_api(world).post(f"/api/v1/apps/{APP}/runs/{run_id}/events", json=body)
    assert answer.status_code < 300, answer.get_data(as_text=True)


def _apps_api(world: AppContext) -> FlaskClient:
    """The apps API."""
    return create_apps(replace(world, settings=replace(world.settings, apps_identity="ecs"))).test_client()
