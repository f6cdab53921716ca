"""The client for coroutines over a real socket: it repeats, refuses and waits as the other one does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, assert_type

import pytest

import windlass
from tests.unit.client.standin import Reply, Standin, ok, silence
from windlass import AsyncClient, Retries
from windlass.models import Lock, Run

T = TypeVar("T")
RUNS, ONE = "/api/workflows/runs", "/api/workflows/runs/run_1"
RUN = {"runId": "run_1", "workflowName": "approve", "status": "pending"}


def bare(value: Any, status: int = 200) -> Reply:
    """An answer without an envelope."""
    return Reply(status=status, content=json.dumps(value).encode())


def refused(status: int, code: str) -> Reply:
    """An error without an envelope."""
    return bare({"error": {"code": code, "message": "No."}}, status)


def talk(url: str, story: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """What a story tells that has a client of its own."""

    async def told() -> T:
        async with AsyncClient(url, api_key="wlk_test", retries=Retries(first_s=0.0)) as client:
            return await story(client)

    return asyncio.run(told())


def test_a_trigger_is_repeated_under_one_key(service: Standin) -> None:
    service.answers("POST", RUNS, silence(), refused(503, "UNAVAILABLE"), bare(RUN, 201))

    run = talk(service.url, lambda client: client.workflow.trigger("approve", [1]))

    assert run.run_id == "run_1"
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 1
    assert {asked.headers["authorization"] for asked in service.asked} == {"Bearer wlk_test"}


def test_a_run_is_waited_for(service: Standin) -> None:
    service.answers("GET", ONE, bare(RUN), silence(), bare({**RUN, "status": "completed", "output": 5}))

    run = talk(service.url, lambda client: client.workflow.wait("run_1", timeout_s=30))

    assert (run.output, service.asked[-1].query) == (5, {"wait": "20"})


def test_waiting_ends_with_the_time(service: Standin) -> None:
    service.answers("GET", ONE, bare(RUN))

    with pytest.raises(windlass.WaitTimeout) as caught:
        talk(service.url, lambda client: client.workflow.wait("run_1", timeout_s=0.1))

    assert caught.value.run == windlass.WorkflowRun.of(RUN)


def test_a_cancel_whose_answer_was_lost_is_not_repeated(service: Standin) -> None:
    service.answers("DELETE", ONE, silence())

    with pytest.raises(windlass.ConnectionFailed):
        talk(service.url, lambda client: client.workflow.cancel("run_1"))

    assert len(service.asked) == 1


def test_a_refusal_is_an_error_of_its_kind(service: Standin) -> None:
    service.answers("GET", ONE, refused(404, "NOT_FOUND"))

    with pytest.raises(windlass.NotFound):
        talk(service.url, lambda client: client.workflow.get_run("run_1"))


def test_nobody_listening_is_a_connection_that_failed() -> None:
    with pytest.raises(windlass.ConnectionFailed):
        talk("http://127.0.0.1:1", lambda client: client.workflow.get_run("run_1"))


def test_many_wait_at_the_same_time(service: Standin) -> None:
    service.answers("GET", ONE, bare({**RUN, "status": "completed"}))

    async def story(client: AsyncClient) -> list[str]:
        runs = await asyncio.gather(*(client.workflow.wait("run_1") for _ in range(5)))
        return [run.status for run in runs]

    assert talk(service.url, story) == ["completed"] * 5


def nouns(client: object) -> dict[str, set[str]]:
    """What a client is asked for, and the calls of each."""
    found = {name: noun for name, noun in vars(client).items() if name[0] != "_" and name != "base_url"}
    return {name: {call for call in dir(noun) if call[0] != "_"} for name, noun in found.items()}


def test_both_clients_have_the_same_calls() -> None:
    left_out = {"session", "exchange", "clock"}
    with windlass.Client("http://127.0.0.1:1") as client:
        threads = {name: calls - left_out for name, calls in nouns(client).items()}
    coroutines = nouns(AsyncClient("http://127.0.0.1:1"))
    assert {name: calls - left_out for name, calls in coroutines.items()} == threads


def test_a_call_of_any_noun_is_awaited_and_repeated_as_elsewhere(service: Standin) -> None:
    run = {"id": "run_1", "type": "server.inspect", "status": "running"}
    service.answers("GET", "/v1/workflows/runs/run_1", silence(), ok(run))

    found = talk(service.url, lambda client: client.runs.get("run_1"))

    assert_type(found, Run)  # So says mypy.
    assert (found.id, len(service.asked)) == ("run_1", 2)


def test_a_list_is_walked(service: Standin) -> None:
    page: Any = {"pagination": {"hasMore": True, "nextCursor": "c"}}
    service.answers("GET", "/v1/locks", ok([{"resource": "a"}], **page), ok([{"resource": "b"}]))

    async def story(client: AsyncClient) -> list[str]:
        return [assert_type(lock, Lock).resource async for lock in client.locks.list()]

    assert talk(service.url, story) == ["a", "b"]


def test_calls_run_side_by_side(service: Standin) -> None:
    service.answers("GET", "/v1/workers", ok([]))

    async def story(client: AsyncClient) -> int:
        return len(await asyncio.gather(*(client.workers.list() for _ in range(8))))

    assert talk(service.url, story) == 8
