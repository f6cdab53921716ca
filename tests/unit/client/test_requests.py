"""Requests say what the contract wants to hear."""

import json
import re
from datetime import UTC, datetime
from math import nan
from typing import Any

import pytest

from tests.unit.client.standin import Reply, Standin, ok, page, problem
from windlass import AsyncClient, Client, Definition, ValidationError

RUNS = "/v1/workflows/runs"
SERVER = {"id": "srv_1", "state": "registering"}
IMAGE = {"url": "http://images/a.qcow2", "checksum": "00", "checksumType": "sha256", "format": "qcow2"}


def test_the_key_is_sent_as_a_bearer_token(service: Standin, client: Client) -> None:
    service.answers("GET", "/v1/workflows/types", ok([]))

    client.types.list()

    assert service.asked[0].headers["authorization"] == "Bearer wlk_test"


def test_what_is_no_json_is_refused_before_it_is_sent(service: Standin, client: Client) -> None:
    for value, told in [
        (datetime(2026, 1, 1), "a datetime (not JSON) at $.input[0].at"),
        (nan, "nan (not a"),
    ]:
        with pytest.raises(ValidationError, match=re.escape(told)):
            client.workflow.trigger("order", [{"at": value}])
    assert service.asked == []


def test_a_body_that_is_too_large_is_no_valid_request(service: Standin, client: Client) -> None:
    service.answers(
        "POST", "/api/workflows/runs", problem(413, "PAYLOAD_TOO_LARGE", "The body is too large.")
    )
    with pytest.raises(ValidationError, match="too large"):
        client.workflow.trigger("order", ["x"])


def test_a_workflow_names_itself_and_its_version(service: Standin, client: Client) -> None:
    service.answers("POST", "/api/workflows/runs", Reply(content=b'{"runId": "run_1"}'))
    client.workflow.trigger(Definition(name="order", version="2", fn=print), [1])
    assert service.asked[0].body == {"workflowName": "order", "deploymentId": "2", "input": [1]}


def test_more_runs_than_a_page_has_are_more_pages(service: Standin, client: Client) -> None:
    pages = [{"data": [{"runId": f"r{n}"}] * n, "cursor": f"c{n}", "hasMore": True} for n in (100, 100, 50)]
    service.answers("GET", "/api/workflows/runs", *(Reply(content=json.dumps(one).encode()) for one in pages))
    assert len(client.workflow.get_runs(limit=250)) == 250
    assert [one.query["limit"] for one in service.asked] == ["100", "100", "50"]


@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_the_environment_names_service_and_key(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_URL", "http://windlass.example/")
    monkeypatch.setenv("WINDLASS_API_KEY", "wlk_environment")
    assert made().base_url == "http://windlass.example"
    assert made().workflow.session.exchange.headers()["Authorization"] == "Bearer wlk_environment"


def test_filters_are_translated(service: Standin, client: Client) -> None:
    service.answers("GET", RUNS, page())

    client.runs.list(resource_type="server", since=datetime(2026, 1, 1, tzinfo=UTC), limit=5)

    expected = {"resourceType": "server", "since": "2026-01-01T00:00:00+00:00", "limit": "5"}
    assert service.asked[0].query == expected


def test_several_values_are_several_parameters(service: Standin, client: Client) -> None:
    service.answers("GET", RUNS, page())

    client.runs.list(tag=["a", "b"], waiting=True)

    assert service.asked[0].line == f"{RUNS}?tag=a&tag=b&waiting=true"


def test_a_change_may_be_tied_to_the_version_that_was_read(service: Standin, client: Client) -> None:
    read = ok({"id": "pool_1", "name": "a"})
    tagged = Reply(content=read.content, headers=(*read.headers, ("ETag", '"3"')))
    service.answers("GET", "/v1/pools/pool_1", tagged)
    service.answers("PATCH", "/v1/pools/pool_1", read)

    client.pools.update("pool_1", name="b", if_match=client.pools.get("pool_1").etag)

    assert service.asked[1].headers["if-match"] == '"3"'


def test_all_pages_are_walked_by_cursor(service: Standin, client: Client) -> None:
    service.answers("GET", RUNS, page({"id": "run_2"}, after="abc.def"), page({"id": "run_1"}))

    assert [run.id for run in client.runs.each(status="failed")] == ["run_2", "run_1"]
    assert [asked.query.get("cursor") for asked in service.asked] == [None, "abc.def"]
    assert {asked.query["status"] for asked in service.asked} == {"failed"}


def test_a_registration_answers_the_server_and_its_run(service: Standin, client: Client) -> None:
    service.answers("POST", "/v1/servers", ok(SERVER, 202, workflowId="run_1", estimatedDuration=9000))

    accepted = client.servers.register(
        protocol="ipmi", bmc_address="127.0.0.1:623", username="admin", password="pw", display_name="a"
    )

    assert (accepted.resource.id, accepted.run_id, accepted.estimated_ms) == ("srv_1", "run_1", 9000)
    assert service.asked[0].body == {
        "protocol": "ipmi",
        "bmcAddress": "127.0.0.1:623",
        "bmcCredential": {"username": "admin", "password": "pw"},
        "displayName": "a",
    }


def test_an_action_queues_when_told_to(service: Standin, client: Client) -> None:
    service.answers("POST", "/v1/servers/srv_1/actions", ok(SERVER, 202, workflowId="run_1"))

    client.servers.provision("srv_1", IMAGE, on_failure="hold", on_conflict="queue")

    assert service.asked[0].query == {"onConflict": "queue"}
    assert service.asked[0].body == {"action": "provision", "image": IMAGE, "onFailure": "hold"}


def test_a_plan_is_a_dry_run(service: Standin, client: Client) -> None:
    plan = {
        "type": "server.provision",
        "steps": [{"name": "reserve", "undo": True}],
        "locks": ["server/srv_1"],
    }
    service.answers("POST", RUNS, ok(plan))

    read = client.runs.plan("server.provision", {"serverId": "srv_1"})

    assert service.asked[0].query == {"dryRun": "true"}
    assert [(step.name, step.undo) for step in read.steps] == [("reserve", True)]


def test_a_retry_names_the_step_or_the_earliest(service: Standin, client: Client) -> None:
    service.answers("POST", f"{RUNS}/run_1/retry", ok({"id": "run_2", "retryOf": "run_1"}, 202))

    client.runs.retry("run_1", from_step="power-2", reason="mended")
    run = client.runs.retry("run_1", from_="earliest")

    assert [asked.body for asked in service.asked] == [
        {"fromStep": "power-2", "reason": "mended"},
        {"from": "earliest"},
    ]
    assert run.retry_of == "run_1"


def test_operator_actions_have_one_shape(service: Standin, client: Client) -> None:
    service.answers("POST", f"{RUNS}/run_1/actions", ok({"id": "run_1"}, 202))

    for act in (client.runs.resume, client.runs.compensate, client.runs.pause, client.runs.unpause):
        act("run_1", reason="so")
    client.runs.skip("run_1", "install", reason="so")
    client.runs.resolve("run_1", "install", reason="so")

    assert [asked.body["action"] for asked in service.asked] == [
        *("resume", "compensate", "pause", "unpause"),
        *("skip", "resolve"),
    ]
    assert service.asked[-1].body == {"action": "resolve", "step": "install", "reason": "so"}


def test_ids_are_escaped_in_paths(service: Standin, client: Client) -> None:
    service.answers("GET", f"{RUNS}/a%2Fb", ok({"id": "a/b"}))

    assert client.runs.get("a/b").id == "a/b"
