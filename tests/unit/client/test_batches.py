"""`client.batches`: what is asked, what is read, and how a batch is followed over breaks."""

import asyncio
import json
from typing import Any

import pytest

from tests.unit.client.standin import Reply, Standin, silence
from windlass import AsyncClient, Client, Conflict, Retries, ValidationError, WaitTimeout
from windlass.batches import Batches

BASE = "/v1/workflows/batch"
ONE = f"{BASE}/b-1"
RUNNING = {
    "workflow_id": "b-1",
    "status": "Running",
    "percent": 50.0,
    "total_operations": 2,
    "completed_operations": 1,
}
JSON = (("Content-Type", "application/json"),)
COMPLETED = {**RUNNING, "status": "Completed", "percent": 100.0}


def told(data: Any, status: int = 200, **beside: Any) -> Reply:
    """A success as batches have it."""
    body = {"success": True, "data": data, **beside}
    return Reply(status=status, content=json.dumps(body).encode(), headers=JSON)


def refused(status: int, code: str, **details: Any) -> Reply:
    """A refusal as batches have it."""
    body = {"success": False, "error": "No batch.", "code": code, "details": details}
    return Reply(status=status, content=json.dumps(body).encode(), headers=JSON)


def stream(*found: tuple[int, Any]) -> Reply:
    """A stream that ends after these."""
    text = "".join(f"id: {seq}\nevent: progress\ndata: {json.dumps(one)}\n\n" for seq, one in found)
    return Reply(content=text.encode(), headers=(("Content-Type", "text/event-stream"),))


def following(client: Client) -> Batches:
    """One who does not wait between looks."""
    session = client.batches.session
    return Batches(session=type(session)(transport=session.transport, exchange=session.exchange, sleep=_soon))


def _soon(_: float) -> None: ...


def test_nickel_is_sent_as_text_and_a_record_as_one(service: Standin, client: Client) -> None:
    submitted = {"workflow_id": "b-1", "levels": [["a"], ["b"]], "total_operations": 2}
    service.answers("POST", f"{BASE}/submit", told(submitted, 202), told(submitted, 202))

    begun = client.batches.submit("{ batch_workflow = {} }", only=["a"], idempotency_key="release-7")
    client.batches.submit({"name": "web"}, except_=["b"], source="text")

    assert (begun.workflow_id, begun.levels) == ("b-1", (["a"], ["b"]))
    assert service.asked[0].body == {"nickel": "{ batch_workflow = {} }", "only": ["a"]}
    assert service.asked[0].headers["idempotency-key"] == "release-7"
    assert service.asked[1].body == {"batch_workflow": {"name": "web"}, "except": ["b"], "source": "text"}


def test_a_refusal_keeps_its_code_and_its_fields(service: Standin, client: Client) -> None:
    cycle = refused(422, "DEPENDENCY_CYCLE", cycle=["a", "b"])
    service.answers("POST", f"{BASE}/submit", cycle)
    service.answers("POST", f"{ONE}/rollback", refused(409, "DEPENDENTS_STAND", operations=["b"]))

    with pytest.raises(ValidationError, match="No batch") as caught:
        client.batches.submit({})
    with pytest.raises(Conflict) as stands:
        client.batches.rollback("b-1", operations=["a"])

    assert (caught.value.code, caught.value.details["cycle"]) == ("DEPENDENCY_CYCLE", ["a", "b"])
    assert stands.value.code == "DEPENDENTS_STAND"


def test_a_page_knows_how_many_there_are(service: Standin, client: Client) -> None:
    pagination = {"total": 7, "limit": 1, "offset": 0}
    service.answers("GET", BASE, told([RUNNING], pagination=pagination))

    page = client.batches.list(status="Running", limit=1)

    assert (page.total, [one.workflow_id for one in page]) == (7, ["b-1"])
    assert service.asked[0].query == {"status": "Running", "limit": "1"}


def test_a_batch_is_read_whole(service: Standin, client: Client) -> None:
    operation = {"id": "web", "status": "Failed", "items": [{"name": "web-01", "status": "Failed"}]}
    service.answers(
        "GET", ONE, told({**COMPLETED, "operations": [operation], "started_at": "2026-01-14T01:30:00Z"})
    )

    read = client.batches.get("b-1")

    assert read.ended
    assert read.started_at is not None and read.started_at.year == 2026
    assert read.operations[0].items[0].name == "web-01"


def test_a_batch_is_followed_over_a_break(service: Standin, client: Client) -> None:
    service.answers("GET", f"{ONE}/progress", stream((3, RUNNING)), told(RUNNING), stream((5, COMPLETED)))

    seen = [one.status for one in following(client).follow("b-1")]

    assert seen == ["Running", "Running", "Completed"]
    assert service.asked[2].headers["last-event-id"] == "3"


def test_without_a_place_for_a_stream_it_is_asked_again_and_again(service: Standin, client: Client) -> None:
    taken = refused(503, "UNAVAILABLE")
    service.answers("GET", f"{ONE}/progress", taken, told(RUNNING), silence(), told(COMPLETED))

    assert [one.status for one in following(client).follow("b-1")] == ["Running", "Completed"]


def test_waiting_ends_when_the_time_is_over(service: Standin, client: Client) -> None:
    service.answers("GET", f"{ONE}/progress", told(RUNNING))
    service.answers("GET", ONE, told(RUNNING))

    with pytest.raises(WaitTimeout):
        client.batches.wait("b-1", timeout_s=0)


def test_coroutines_have_the_same_calls(service: Standin) -> None:
    service.answers("GET", f"{ONE}/progress", told(COMPLETED))
    service.answers("GET", ONE, told(COMPLETED))

    async def story() -> str:
        async with AsyncClient(service.url, retries=Retries(first_s=0.0)) as client:
            return (await client.batches.wait("b-1")).status

    assert asyncio.run(story()) == "Completed"


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_what_is_changed_answers_its_status(service: Standin, client: Client, verb: str) -> None:
    service.answers("POST", f"{ONE}/{verb}", told({"workflow_id": "b-1", "status": "Running"}, 202))

    assert getattr(client.batches, verb)("b-1") == "Running"
