"""Streams go on where they broke, and waiting has an end."""

from collections.abc import Iterator

import pytest

import windlass
from tests.unit.client.standin import Reply, Standin, events, ok, problem, silence
from windlass import Client, live
from windlass.sse import Message, messages

ONE = "/v1/workflows/runs/run_1"
STREAM = f"{ONE}/stream"


def run(status: str, **more: object) -> Reply:
    """The run as the service shows it."""
    return ok({"id": "run_1", "status": status, **more})


def test_a_stream_ends_with_its_run(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("completed"))
    service.answers("GET", STREAM, events((1, "run.created"), (2, "run.completed"), (3, "lock.released")))

    assert [event.seq for event in client.runs.stream("run_1")] == [1, 2, 3]


def test_a_broken_stream_goes_on_after_the_last_event(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("running"), run("running"), run("failed"))
    service.answers(
        "GET", STREAM, events((1, "run.created")), silence(), events((1, "run.created"), (2, "run.failed"))
    )

    assert [event.seq for event in client.runs.stream("run_1")] == [1, 2]
    streams = [asked for asked in service.asked if asked.path == STREAM]
    assert [asked.headers.get("last-event-id") for asked in streams] == [None, "1", "1"]


def test_a_stream_after_the_last_event_is_empty(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("completed"))
    service.answers("GET", STREAM, events())

    assert list(client.runs.stream("run_1", after=9)) == []


def test_a_stream_of_no_run_is_told_at_once(client: Client) -> None:
    with pytest.raises(windlass.NotFound):
        next(iter(client.runs.stream("run_1")))


def test_a_service_that_stays_away_ends_the_stream(service: Standin, client: Client) -> None:
    service.answers("GET", STREAM, silence())
    ticks: Iterator[float] = iter(range(0, 1000, 4))

    with pytest.raises(windlass.ConnectionFailed):
        list(live.events(client.runs.session, STREAM, 0, lambda: False, lambda: next(ticks)))

    assert 3 < len(service.asked) < 20


def test_waiting_goes_on_while_the_service_is_away(service: Standin, client: Client) -> None:
    away = problem(503, "UNAVAILABLE", "Later.", retry_after="3600")
    service.answers("GET", ONE, run("running"), away, away, run("completed"))

    assert client.runs.wait("run_1").status == "completed"


def test_a_stream_that_has_no_room_is_unavailable(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("running"))
    service.answers("GET", STREAM, problem(503, "UNAVAILABLE", "8 streams are open."))

    with pytest.raises(windlass.Unavailable, match="8 streams"):
        next(iter(client.runs.stream("run_1")))


def test_a_message_may_have_several_lines_and_no_name() -> None:
    lines = [": comment", "", "id: 7", "data: a", "data:b", "", "event: x", "data: c", ""]

    assert list(messages(lines)) == [
        Message(event="message", data="a\nb", id="7"),
        Message(event="x", data="c", id="7"),
    ]


def test_a_line_separator_inside_json_cuts_nothing(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("completed"))
    content = 'id: 1\ndata: {"seq": 1, "type": "run.completed", "actor": "a\u2028b"}\n\n'.encode()
    service.answers("GET", STREAM, Reply(content=content))

    assert next(iter(client.runs.stream("run_1"))).actor == "a\u2028b"


def test_waiting_ends_with_the_run_and_tells_of_every_look(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("pending"), run("running"), run("cancelled"))
    seen = list[str]()

    ended = client.runs.wait("run_1", seen=lambda run: seen.append(run.status))

    assert ended.status == "cancelled"
    assert seen == ["pending", "running", "cancelled"]
    assert service.asked[1].query == {"wait": "20"}


def test_waiting_may_end_when_an_operator_is_needed(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("running"), run("running", needsOperator=True))

    assert client.runs.wait("run_1", every_s=0.01, until=lambda run: run.settled).needs_operator
    assert [asked.query for asked in service.asked] == [{}, {}]


def test_waiting_times_out_by_the_clock(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, run("running", detail="waiting"))
    ticks: Iterator[float] = iter(range(0, 1000, 4))
    runs = windlass.runs.Runs(session=client.runs.session, clock=lambda: next(ticks))

    with pytest.raises(windlass.WaitTimeout, match="still waiting") as caught:
        runs.wait("run_1", timeout_s=20)

    assert caught.value.run.status == "running"
