"""The typed client against the real API: every call, for threads and for coroutines."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import windlass
from app.domain.rows.runs import RunRow
from app.record.runs import runs
from app.record.service import definitions, heartbeats
from app.services import presence
from app.services.context import AppContext
from windlass import AsyncClient, Client, Request, Response, Retries

FACTS = {"maxEvents": 50, "executionTimeoutMs": None, "stepTimeoutMs": 300_000}


class Inside:
    """A transport into the application of this process; it may lose answers on the way."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.lost = 0  # Answers that get lost from now on.
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        """Send a request and read the whole answer."""
        self.sent.append(request)
        asked = {"query_string": list(request.query), "headers": dict(request.headers)}
        answer = self._client.open(request.path, method=request.method, data=request.content, **asked)  # type: ignore[arg-type]
        if self.lost:
            self.lost -= 1
            raise windlass.ConnectionFailed("The answer got lost.")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(status=answer.status_code, headers=headers, content=answer.data)

    def open(self, request: Request) -> Any:
        """Nothing streams here."""
        raise AssertionError(request.path)

    def close(self) -> None:
        """There is nothing to give back."""


class AsyncInside:
    """The same for coroutines."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    async def send(self, request: Request) -> Response:
        """Send a request and read the whole answer."""
        return self._inside.send(request)

    async def close(self) -> None:
        """There is nothing to give back."""


@pytest.fixture
def inside(client: FlaskClient, world: AppContext) -> Inside:
    """The way to a service that knows a workflow."""
    world.db.write(lambda tx: definitions.announce(tx, "approve", "1", FACTS, "f1"))
    facts = {"workflows": [["approve", "1"]]}
    world.db.write(lambda tx: heartbeats.note(tx, presence.KIND, "here:1", facts))
    return Inside(client)


@pytest.fixture
def service(inside: Inside) -> Iterator[Client]:
    """A client of it that does not wait between attempts."""
    with Client(transport=inside, retries=Retries(first_s=0.0)) as made:
        yield made


def test_a_run_is_triggered_and_read_back_typed(service: Client) -> None:
    run = service.workflow.trigger(
        "approve", [{"amount": 5}], run_id="mine", idempotency_key="k", max_events=9, execution_timeout="90s"
    )
    assert (run.run_id, run.status, run.input) == ("mine", "pending", ({"amount": 5},))
    again = service.workflow.get_run("mine")
    assert (again.max_events, again.execution_timeout, again.idempotency_key) == (9, 90_000, "k")
    assert again.created_at is not None and again.created_at.tzinfo is not None
    assert (again.error, again.ended) == (None, False)


@pytest.mark.parametrize(("given", "input"), [((), ()), ([1, 2], (1, 2)), ({"a": 1}, ({"a": 1},)), (5, (5,))])
def test_anything_but_a_list_is_the_only_argument(
    service: Client, given: Any, input: tuple[Any, ...]
) -> None:
    assert service.workflow.trigger("approve", given).input == input


def test_runs_are_listed_by_name_status_and_cursor(service: Client) -> None:
    runs = [service.workflow.trigger("approve").run_id for _ in range(3)]
    page = service.workflow.get_runs(workflow_name="approve", status="pending", limit=2)
    assert ([run.run_id for run in page], page.has_more) == ([runs[2], runs[1]], True)
    rest = service.workflow.get_runs(workflow_name="approve", status="pending", cursor=page.cursor)
    assert [run.run_id for run in rest] == [runs[0]]


def test_parents_and_children_are_found(service: Client) -> None:
    parent = service.workflow.trigger("approve").run_id
    child = service.workflow.trigger("approve", parent_run_id=parent).run_id
    assert [run.run_id for run in service.workflow.get_child_runs(parent)] == [child]
    assert service.workflow.get_parent_run(child).run_id == parent
    with pytest.raises(windlass.NotFound):
        service.workflow.get_parent_run(parent)


def test_events_are_emitted_and_read_in_order(service: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.workflowtalks.EVENTS_A_PAGE", 2)
    run_id = service.workflow.trigger("approve").run_id
    emitted = service.workflow.emit_event(run_id, "step-started", {"step": "a"}, correlation_id="c")
    service.workflow.emit_event(run_id, "empty")
    found = service.workflow.get_events(run_id)
    assert [event.event_type for event in found] == ["workflow_created", "step-started", "empty"]
    assert (found[1], found[2].payload) == (emitted, None)


def test_hooks_and_signals_reach_the_run(service: Client) -> None:
    run_id = service.workflow.trigger("approve").run_id
    hook = service.workflow.create_hook(run_id, "document-approval", "approve", {"documentId": "d"})
    service.workflow.execute_hook(hook.token, {"approved": True})
    assert service.workflow.send_signal(run_id, "go", {"a": 1}).startswith("sig_")
    with pytest.raises(windlass.Gone):
        service.workflow.execute_hook(hook.token, {"approved": False})


def test_a_run_is_cancelled_once_and_waited_for(service: Client) -> None:
    run_id = service.workflow.trigger("approve").run_id
    with pytest.raises(windlass.WaitTimeout):
        service.workflow.wait(run_id, timeout_s=0)
    assert service.workflow.cancel(run_id, reason="twice").status == "cancelled"
    assert service.workflow.wait(run_id).ended
    with pytest.raises(windlass.InvalidState):
        service.workflow.cancel(run_id)


def test_why_a_run_failed_is_told(service: Client, world: AppContext) -> None:
    run_id = service.workflow.trigger("approve").run_id
    failed: RunRow = {
        "status": "failed",
        "error_code": "WORKFLOW_FAILED",
        "error_message": "Rejected: too expensive",
    }
    world.db.write(lambda tx: runs.change_run(tx, run_id, failed))
    error = service.workflow.get_run(run_id).error
    assert error is not None
    assert (error.code, error.message) == ("WORKFLOW_FAILED", "Rejected: too expensive")


def test_what_clients_keep_is_kept(service: Client) -> None:
    run_id = service.workflow.trigger("approve").run_id
    assert service.workflow.patch(run_id, execution_context={"a": 1}).execution_context == {"a": 1}


def test_a_trigger_whose_answer_was_lost_starts_one_run(service: Client, inside: Inside) -> None:
    inside.lost = 2
    run = service.workflow.trigger("approve")
    assert [one.run_id for one in service.workflow.get_runs()] == [run.run_id]
    assert len({one.headers["Idempotency-Key"] for one in inside.sent[:3]}) == 1


def test_a_signal_whose_answer_was_lost_is_sent_once(service: Client, inside: Inside) -> None:
    run_id = service.workflow.trigger("approve").run_id
    inside.lost = 2
    service.workflow.send_signal(run_id, "go")
    told = [event.event_type for event in service.workflow.get_events(run_id)]
    assert told.count("signal_received") == 1


def test_a_hook_whose_answer_was_lost_is_made_anew_with_a_token_that_works(
    service: Client, inside: Inside
) -> None:
    run_id = service.workflow.trigger("approve").run_id
    inside.lost = 1
    service.workflow.execute_hook(service.workflow.create_hook(run_id, "go").token, {"a": 1})


def test_a_refusal_names_the_field(service: Client) -> None:
    with pytest.raises(windlass.ValidationError) as caught:
        service.workflow.trigger("approve", max_events=0)
    assert "maxEvents" in caught.value.fields


def test_definitions_are_told(service: Client) -> None:
    (found,) = service.workflow.definitions()
    assert (found.workflow_name, found.deployment_id, found.served) == ("approve", "1", True)


def test_coroutines_have_the_same_calls(inside: Inside, app: Flask) -> None:
    async def story() -> list[str]:
        transport = AsyncInside(inside)
        async with AsyncClient(transport=transport, retries=Retries(first_s=0.0)) as client:
            inside.lost = 1
            run = await client.workflow.trigger("approve", [1])
            await client.workflow.send_signal(run.run_id, "go")
            await client.workflow.emit_event(run.run_id, "mine", {"a": 1})
            await client.workflow.cancel(run.run_id)
            ended = await client.workflow.wait(run.run_id)
            events = await client.workflow.get_events(run.run_id)
            return [ended.status, *(event.event_type for event in events)]

    told = asyncio.run(story())
    assert told[:4] == ["cancelled", "workflow_created", "signal_received", "mine"]


def test_both_clients_can_say_the_same() -> None:
    def calls(of: type) -> set[str]:
        return {name for name in vars(of) if not name.startswith("_")} - {"session", "exchange", "clock"}

    wanted = {
        "trigger",
        "get_run",
        "get_runs",
        "get_child_runs",
        "get_parent_run",
        "get_events",
        "emit_event",
    }
    wanted |= {"send_signal", "create_hook", "execute_hook", "cancel", "wait", "patch", "definitions"}
    with Client() as client:
        assert calls(type(client.workflow)) == wanted
    assert calls(type(AsyncClient().workflow)) == wanted
