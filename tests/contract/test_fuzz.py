"""Whatever is sent, the service answers as its document says: no crash, no undocumented status."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app import create_app
from app.api.application import build
from app.api.http import openapi
from app.api.v1 import examples
from app.config import load
from app.record.service import definitions
from app.services.context import AppContext
from app.wiring import wire
from tests.contract.plant import plant_server

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


CODE_RUNS = {"get": "run_ended", "post": "run_open"}  # Nobody waits for news of one that has ended.
EXAMPLES = 15
PHASES = (Phase.explicit, Phase.generate)
DOCUMENT = openapi.document(build())
SCHEMA: Any = schemathesis.openapi.from_dict(DOCUMENT)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A service, and what it knows."""

    app: Flask
    parts: dict[str, str]  # What stands in paths that lead somewhere.


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("sqlite", "postgres")],
)
def known(
    request: pytest.FixtureRequest,
    databases: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Known]:
    """A service with a server, an ended run, a pool and a code workflow with a run."""
    url = databases(request.param).fresh()
    world = quiet_world(url, tmp_path_factory.mktemp("state"))
    app = create_app(world)
    client = app.test_client()
    plant_server(world, examples.SERVER_ID)
    order = {"type": "server.inspect", "resourceId": examples.SERVER_ID}
    run_id = client.post("/v1/workflows/runs", json=order).get_json()["data"]["id"]
    client.post(f"/v1/workflows/runs/{run_id}/cancel", json={})
    pool = client.post("/v1/pools", json={"name": "known"}).get_json()["data"]
    facts = {"maxEvents": 1000, "executionTimeoutMs": None, "stepTimeoutMs": 1000}
    world.db.write(lambda tx: definitions.announce(tx, "known", "1", facts, "f"))
    for code_run in CODE_RUNS.values():
        client.post("/api/workflows/runs", json={"workflowName": "known", "runId": code_run})
    client.delete(f"/api/workflows/runs/{CODE_RUNS['get']}")
    parts = {"runId": run_id, "serverId": examples.SERVER_ID, "poolId": pool["id"]}
    nightly = {"name": "known", "type": "server.inspect", "resourceId": examples.SERVER_ID, "cron": "@daily"}
    parts["scheduleId"] = client.post("/v1/schedules", json=nightly).get_json()["data"]["id"]
    parts |= {"typeName": "server.inspect", "resource": f"server/{examples.SERVER_ID}"}
    yield Known(app=app, parts=parts)
    world.db.dispose()
    databases(request.param).drop(url)


def quiet_world(url: str, folder: Path) -> AppContext:
    """A world that publishes nothing and looks up no name."""
    chosen = load(
        {}, database_url=url, state_dir=str(folder), redis_url="redis://127.0.0.1:1/0", keyless=True
    )
    return replace(wire(chosen), publish=lambda messages: None)


def operations() -> Iterator[Any]:
    """Path and method of every operation, and whether a path with parts shall lead somewhere."""
    for path, item in DOCUMENT["paths"].items():
        for method in (one for one in item if one != "parameters"):
            yield pytest.param(path, method, True, id=f"{path}-{method}-somewhere")
            if "{" in path:
                yield pytest.param(path, method, False, id=f"{path}-{method}-anywhere")


@cache  # To make a case takes longer than to send it: both databases are sent the same.
def cases(path: str, method: str) -> Sequence[tuple[schemathesis.Case[Any], dict[str, Any]]]:
    """Requests of one operation, each with the parts of its path."""
    made = []

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=PHASES)
    @given(case=SCHEMA[path][method].as_strategy())
    def keep(case: schemathesis.Case[Any]) -> None:
        made.append((case, dict(case.path_parameters or {})))

    keep()
    return made


# A thread of the service may draw random numbers while a case is made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize(("path", "method", "leads"), [*operations()])
def test_every_answer_is_one_that_the_document_names(
    known: Known, path: str, method: str, leads: bool
) -> None:
    code_run = {"runId": CODE_RUNS.get(method, "run_open")} if path.startswith("/api/") else {}
    parts = {**known.parts, **code_run} if leads else {}
    for case, drawn in cases(path, method):
        case.path_parameters = {name: parts.get(name, part) for name, part in drawn.items()}
        case.call_and_validate(checks=CHECKS, app=known.app)
