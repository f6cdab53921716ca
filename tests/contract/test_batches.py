"""Batches over HTTP: every refusal by one request, in one shape, and nothing is stored by any of them."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.domain.batch.words import LARGEST_DOCUMENT
from app.domain.rows.batches import InstanceRow
from app.nickel.evaluate import LARGEST_SOURCE
from app.providers.mirror import surreal
from app.record import tables
from app.record.batches.effects import INSTANCES
from tests.contract.plant import T0, bearer
from tests.unit.domain.batch.cases import EXAMPLE, FIRST, SECOND, changed

PATH = "/v1/workflows/batch"
SUBMIT = f"{PATH}/submit"
NICKEL = "text/x-nickel"
DEEP = json.loads("[" * 30 + "]" * 30)


def server(name: str) -> dict[str, str]:
    """A local server."""
    return {"name": name, "plan": "small", "zone": "here"}


LOCAL = {
    "name": "two_of_them",
    "operations": [
        {
            "id": "first",
            "type": "server_batch",
            "provider": "local",
            "server_configs": [server("a"), server("b")],
        },
        {
            "id": "second",
            "type": "server_batch",
            "provider": "local",
            "dependencies": ["first"],
            "server_configs": [server("c")],
        },
    ],
}
LOCAL_ONE = {
    "id": "one",
    "type": "server_batch",
    "provider": "local",
    "server_configs": [server("d")],
}
TASKSERV = {"id": "soft", "type": "taskserv_batch", "provider": "local", "targets": ["a"]}


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, which has the one shape."""
    body: dict[str, Any] = answer.get_json()
    assert (answer.status_code, body.get("code")) == (status, code), body
    assert answer.mimetype == "application/json"
    assert body["success"] is False
    assert isinstance(body["error"], str) and body["error"]
    assert body.keys() <= {"success", "error", "code", "details"}
    return body


def stored(client: FlaskClient) -> int:
    """How many batches there are."""
    total: int = client.get(PATH).get_json()["pagination"]["total"]
    return total


DEFINITIONS = {
    "INVALID_DEFINITION": changed("parallel_limit", 0),
    "UNKNOWN_PROVIDER": changed(f"{FIRST}.provider", "azure"),
    "UNKNOWN_OPERATION_TYPE": changed(f"{FIRST}.type", "disk_batch"),
    "DUPLICATE_OPERATION": changed(f"{SECOND}.id", "upcloud_servers"),
    "UNKNOWN_DEPENDENCY": changed(f"{SECOND}.dependencies", ["servers"]),
    "DEPENDENCY_CYCLE": changed(f"{FIRST}.dependencies", ["aws_taskservs"]),
    "NO_TARGETS": changed(f"{SECOND}.dependencies", []),
    "DUPLICATE_ITEM": changed(f"{FIRST}.server_configs.1.name", "web-01"),
    "LIMIT_EXCEEDED": changed("operations", [{}] * 10_001),
}
PROGRAMS = {
    "NICKEL_ERROR": "{ batch_workflow = ",
    "NICKEL_IMPORT_FORBIDDEN": 'import "/etc/passwd" as \'Text',
    "NICKEL_RESOURCE_LIMIT": "let rec f = fun x => f (x @ x) in f [1]",
}


@pytest.mark.parametrize("code", DEFINITIONS)
def test_a_definition_is_refused_by_its_code(client: FlaskClient, code: str) -> None:
    body = refused(client.post(SUBMIT, json={"batch_workflow": DEFINITIONS[code]}), 422, code)

    assert body["details"]
    assert stored(client) == 0


@pytest.mark.parametrize("code", PROGRAMS)
def test_a_program_is_refused_by_its_code(client: FlaskClient, code: str) -> None:
    refused(client.post(SUBMIT, data=PROGRAMS[code], content_type=NICKEL), 400, code)

    assert stored(client) == 0


BODIES = [
    ({}, "body"),
    ({"batch_workflow": EXAMPLE, "nickel": "{}"}, "body"),
    ({"batch_workflow": EXAMPLE, "dry-run": True}, "dry-run"),
    ({"batch_workflow": EXAMPLE, "dry_run": "yes"}, "dry_run"),
    ({"batch_workflow": EXAMPLE, "only": ["nothing"]}, "only"),
    ({"nickel": "{ batch = 1 }"}, "batch_workflow"),
    ({"nickel": 7}, "nickel"),
    ({"batch_workflow": 1}, "batch_workflow"),
]


@pytest.mark.parametrize(("body", "field"), BODIES)
def test_an_order_names_what_is_wrong_with_it(client: FlaskClient, body: Any, field: str) -> None:
    found = refused(client.post(SUBMIT, json=body), 422, "INVALID_DEFINITION")

    assert field in found["error"]


def test_bodies_have_limits(client: FlaskClient) -> None:
    long = json.dumps({"batch_workflow": {**EXAMPLE, "description": "x" * LARGEST_DOCUMENT}})

    too_long = client.post(SUBMIT, data=long, content_type="application/json")
    assert refused(too_long, 413, "PAYLOAD_TOO_LARGE")["details"]["limit"] == LARGEST_DOCUMENT
    program = client.post(SUBMIT, data="#" * (LARGEST_SOURCE + 1), content_type=NICKEL)
    assert refused(program, 413, "PAYLOAD_TOO_LARGE")["details"]["limit"] == LARGEST_SOURCE
    fits = json.dumps({"batch_workflow": {**LOCAL, "description": "x" * 3_000_000}, "dry_run": True})
    assert client.post(SUBMIT, data=fits, content_type="application/json").status_code == 200


def test_a_body_is_strict(client: FlaskClient) -> None:
    twice = client.post(SUBMIT, data=b'{"nickel": "1", "nickel": "2"}', content_type="application/json")
    refused(twice, 400, "VALIDATION_ERROR")
    refused(client.post(SUBMIT, data=b"{", content_type="application/json"), 400, "VALIDATION_ERROR")
    refused(client.post(SUBMIT, data=b"a=1", content_type="text/csv"), 415, "UNSUPPORTED_MEDIA_TYPE")
    refused(client.post(SUBMIT, data=b"\xff", content_type=NICKEL), 400, "VALIDATION_ERROR")
    deep = client.post(SUBMIT, json={"batch_workflow": {**EXAMPLE, "metadata": {"deep": DEEP}}})
    assert deep.status_code in (400, 422)
    assert stored(client) == 0


def test_every_status_has_the_one_shape(client: FlaskClient, guarded: FlaskClient) -> None:
    refused(client.get(f"{PATH}/nothing"), 404, "NOT_FOUND")
    refused(client.get(f"{PATH}/a/b/c/d"), 404, "NOT_FOUND")
    refused(client.delete(PATH), 405, "METHOD_NOT_ALLOWED")
    refused(client.get(PATH, headers={"Accept": "image/png"}), 406, "NOT_ACCEPTABLE")
    refused(client.get(f"{PATH}?limit=0"), 400, "VALIDATION_ERROR")
    refused(client.get(f"{PATH}?state=Running"), 400, "VALIDATION_ERROR")
    refused(client.get(f"{PATH}?status=Idle"), 400, "VALIDATION_ERROR")
    refused(guarded.get(PATH), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rollback", {"everything": True}),
        ("rollback", {"force": "yes"}),
        ("rollback", {"operations": ["a b"]}),
        ("cancel", {"rollback": 1}),
        ("retry", {"onlyFailed": True}),
        ("pause", {"now": True}),
        ("checkpoints", {"name": ""}),
    ],
)
def test_what_is_asked_of_a_batch_is_strict(client: FlaskClient, path: str, body: Any) -> None:
    refused(client.post(f"{PATH}/some-batch/{path}", json=body), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/progress"),
        ("GET", "/graph"),
        ("GET", "/operations/web"),
        ("POST", "/rollback"),
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/retry"),
        ("POST", "/checkpoints"),
        ("POST", "/operations/web/approve"),
    ],
)
def test_a_batch_that_there_is_not(client: FlaskClient, method: str, path: str) -> None:
    refused(
        client.open(f"{PATH}/01999999-0000-7000-8000-000000000000{path}", method=method), 404, "NOT_FOUND"
    )


def test_reading_and_writing_are_two_scopes(guarded: FlaskClient, world: Any) -> None:
    reader = bearer(world, "reader", "runs:read")

    assert guarded.get(PATH, headers=reader).status_code == 200
    refused(guarded.post(SUBMIT, json={"batch_workflow": LOCAL}, headers=reader), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    "path",
    ["submit", "submit?dry_run=true", "some-batch/rollback", "some-batch/cancel", "some-batch/retry"],
)
def test_whoever_has_servers_made_needs_their_scope(guarded: FlaskClient, world: Any, path: str) -> None:
    writer = bearer(world, "writer", "runs:read", "runs:write")
    body = {"batch_workflow": LOCAL} if path.startswith("submit") else {}

    found = refused(guarded.post(f"{PATH}/{path}", json=body, headers=writer), 403, "FORBIDDEN")

    assert found["details"]["scope"] == "servers:write"


def test_a_dry_run_stores_nothing(client: FlaskClient) -> None:
    answer = client.post(f"{SUBMIT}?dry_run=true", json={"batch_workflow": LOCAL})

    body = answer.get_json()
    assert (answer.status_code, body["success"]) == (200, True)
    assert body["data"]["levels"] == [["first"], ["second"]]
    assert stored(client) == 0


def test_two_keys_are_not_one(client: FlaskClient) -> None:
    order = {"batch_workflow": LOCAL, "idempotency_key": "one"}

    refused(client.post(SUBMIT, json=order, headers={"Idempotency-Key": "two"}), 400, "VALIDATION_ERROR")


def test_a_definition_is_drawn_without_a_batch(client: FlaskClient) -> None:
    found = client.post(f"{PATH}/graph", json={"batch_workflow": EXAMPLE}).get_json()["data"]

    assert [node["id"] for node in found["nodes"]] == ["upcloud_servers", "aws_taskservs"]
    assert found["edges"][0]["from"] == "upcloud_servers"
    assert stored(client) == 0


def submitted(client: FlaskClient, **changes: Any) -> str:
    """A batch that was accepted, and stands still: nothing works here."""
    answer = client.post(SUBMIT, json={"batch_workflow": {**LOCAL, **changes}})
    assert answer.status_code == 202, answer.get_json()
    workflow_id: str = answer.get_json()["data"]["workflow_id"]
    return workflow_id


def ended(world: Any, batch_id: str) -> None:
    """The batch as it is once its first operation has failed after it made a server."""
    own = tables.run.c.id == batch_id, tables.run.c.parent_run_id == batch_id
    over = {"status": "failed", "completed_at": T0}
    made: InstanceRow = {"provider": "local", "account": "default", "plan": "small", "zone": "here"}

    def work(tx: Any) -> None:
        for which in own:
            tx.execute(update(tables.run).where(which).values(**over))
        for name, operation in (("a", "first"), ("c", "second")):
            row: InstanceRow = {
                **made,
                "state": "running",
                "name": name,
                "operation": operation,
                "lineage": batch_id,
                "token": name,
            }
            INSTANCES.intend(tx, {**row, "resource_id": name, "incarnation": 1, "run_id": batch_id})

    world.db.write(work)


@pytest.mark.parametrize(
    ("code", "changed_"),
    [
        ("UNKNOWN_TASKSERV", {"operations": [{**TASKSERV, "taskservs": ["nothing"]}]}),
        ("UNKNOWN_ACCOUNT", {"operations": [{**LOCAL_ONE, "provider": "upcloud"}]}),
        ("UNKNOWN_ACCOUNT", {"operations": [{**LOCAL_ONE, "provider": "aws", "account": "mine"}]}),
        ("BACKEND_UNAVAILABLE", {"storage_backend": "surrealdb"}),
    ],
)
def test_what_is_missing_here_is_told(
    client: FlaskClient, code: str, changed_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surreal, "installed", lambda: False)
    found = refused(client.post(SUBMIT, json={"batch_workflow": {**LOCAL, **changed_}}), 422, code)

    assert found["details"]
    assert stored(client) == 0


def test_a_server_that_another_batch_works_on_is_locked(client: FlaskClient) -> None:
    first = submitted(client)

    found = refused(client.post(SUBMIT, json={"batch_workflow": LOCAL}), 409, "RESOURCE_LOCKED")

    assert first in json.dumps(found)
    assert stored(client) == 1


def test_one_key_is_one_definition(client: FlaskClient) -> None:
    header = {"Idempotency-Key": "one"}
    first = client.post(SUBMIT, json={"batch_workflow": LOCAL}, headers=header).get_json()["data"]
    again = client.post(SUBMIT, json={"batch_workflow": LOCAL}, headers=header).get_json()["data"]

    assert again["workflow_id"] == first["workflow_id"]
    other = {"batch_workflow": {**LOCAL, "name": "another"}}
    refused(client.post(SUBMIT, json=other, headers=header), 409, "CONFLICT")
    assert stored(client) == 1


@pytest.mark.parametrize("path", ["rollback", "retry", "resume", "operations/first/approve"])
def test_what_a_running_batch_does_not_allow(client: FlaskClient, path: str) -> None:
    batch = submitted(client)

    refused(client.post(f"{PATH}/{batch}/{path}", json={}), 409, "INVALID_STATE_TRANSITION")


def test_a_batch_without_rollback_is_undone_by_force_alone(client: FlaskClient) -> None:
    batch = submitted(client, rollback_enabled=False)

    refused(client.post(f"{PATH}/{batch}/rollback", json={}), 409, "ROLLBACK_DISABLED")
    refused(client.post(f"{PATH}/{batch}/cancel", json={"rollback": True}), 409, "ROLLBACK_DISABLED")
    forced = client.post(f"{PATH}/{batch}/rollback", json={"force": True})
    refused(forced, 409, "INVALID_STATE_TRANSITION")  # It runs; that is another matter.


def test_what_others_build_on_stands(client: FlaskClient, world: Any) -> None:
    batch = submitted(client)
    ended(world, batch)

    found = refused(
        client.post(f"{PATH}/{batch}/rollback", json={"operations": ["first"]}), 409, "DEPENDENTS_STAND"
    )
    unknown = client.post(f"{PATH}/{batch}/rollback", json={"operations": ["third"]})

    assert found["details"]["operations"] == ["second"]
    refused(unknown, 400, "VALIDATION_ERROR")
    both = {"operations": ["first", "second"], "dry_run": True}
    assert client.post(f"{PATH}/{batch}/rollback", json=both).status_code in (200, 202)


def test_a_cancel_of_what_has_ended_is_refused(client: FlaskClient, world: Any) -> None:
    batch = submitted(client)
    ended(world, batch)

    refused(client.post(f"{PATH}/{batch}/cancel", json={}), 409, "INVALID_STATE_TRANSITION")
    refused(client.post(f"{PATH}/{batch}/checkpoints", json={}), 409, "INVALID_STATE_TRANSITION")


def test_a_program_with_a_character_that_is_not_text_is_refused(client: FlaskClient) -> None:
    program = "{ batch_workflow = {} } # \0"

    body = refused(client.post(SUBMIT, data=program, content_type=NICKEL), 400, "VALIDATION_ERROR")

    assert "not text" in body["details"]["fields"]["body"]


def test_the_graph_of_a_part_has_that_part_alone(client: FlaskClient) -> None:
    whole = client.post(f"{PATH}/graph", json={"batch_workflow": LOCAL}).get_json()["data"]
    part = client.post(f"{PATH}/graph?only=first", json={"batch_workflow": LOCAL}).get_json()["data"]

    assert (whole["levels"], part["levels"]) == ([["first"], ["second"]], [["first"]])
