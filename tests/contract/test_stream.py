"""Following a run by server-sent events (contracts/runs.rst#events; the SSE section of the HTML standard)."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, update

from app.api.http import stream
from app.domain.errors import Unavailable
from app.record import tables
from app.record.session import Database
from app.services.context import AppContext
from app.services.permit import Permit
from tests.contract.plant import T0, plant_events, plant_run

PATH = "/v1/workflows/runs/run_1/stream"
ALLOWED = Permit(lambda: None)


def end_run(world: AppContext, seq: int) -> None:
    """The run ends with one more event."""
    row = {"tenant_id": world.db.tenant, "run_id": "run_1", "seq": seq, "type": "run.completed", "at": T0}
    ended = {"status": "completed", "completed_at": T0, "event_seq": seq}
    world.db.write(lambda tx: tx.execute(insert(tables.event), row))
    world.db.write(lambda tx: tx.execute(update(tables.run).values(**ended)))


@pytest.fixture
def ended(world: AppContext) -> AppContext:
    """A run with three events that has ended."""
    plant_run(world, "run_1", status="running", event_seq=2)
    plant_events(world, "run_1", "run.created", "run.started")
    end_run(world, 3)
    return world


def seqs(text: str) -> list[int]:
    """The ids of the events in a stream."""
    return [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]


def test_an_ended_run_is_told_whole_and_the_stream_ends(ended: AppContext, client: FlaskClient) -> None:
    answer = client.get(PATH, headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert seqs(answer.get_data(as_text=True)) == [1, 2, 3]
    assert "event: run.completed\n" in answer.get_data(as_text=True)


def test_a_client_that_comes_again_gets_what_it_has_not_seen(ended: AppContext, client: FlaskClient) -> None:
    answer = client.get(PATH, headers={"Last-Event-ID": "2"})
    assert seqs(answer.get_data(as_text=True)) == [3]


@pytest.mark.parametrize("last", ["x", "-1", "1" * 10, "٣"])
def test_a_last_event_id_that_is_none_is_400(ended: AppContext, client: FlaskClient, last: str) -> None:
    assert client.get(PATH, headers={"Last-Event-ID": last}).status_code == 400


def test_a_stream_of_no_run_is_404(client: FlaskClient) -> None:
    assert client.get(PATH).status_code == 404


def test_events_come_as_they_happen(world: AppContext) -> None:
    plant_run(world, "run_1", status="running", event_seq=1)
    plant_events(world, "run_1", "run.created")
    text = "".join(stream.frames(world, "run_1", 0, ALLOWED, pause=lambda _: end_run(world, 2)))
    assert seqs(text) == [1, 2]


def test_a_quiet_stream_beats(world: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_run(world, "run_1", status="running", event_seq=0)
    monkeypatch.setattr(stream, "BEAT_S", 0.0)
    text = "".join(stream.frames(world, "run_1", 0, ALLOWED, pause=lambda _: end_run(world, 1)))
    assert ": beat\n\n" in text


def test_a_stream_ends_when_the_database_goes_away(
    world: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(Database, "read", away)
    assert seqs("".join(stream.frames(world, "run_1", 0, ALLOWED))) == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stream_gives_its_place_back_whether_it_was_read_or_not(
    ended: AppContext, app: Flask, client: FlaskClient, method: str
) -> None:
    for _ in range(app.extensions["windlass.places"].most + 1):
        answer = client.open(PATH, method=method)
        answer.close()
        assert answer.status_code == 200


def test_one_stream_too_many_is_503_and_when_to_come_again(
    ended: AppContext, app: Flask, client: FlaskClient
) -> None:
    places = app.extensions["windlass.places"]
    leaves: list[Callable[[], None]] = [places.take() for _ in range(places.most)]
    refused = client.get(PATH)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) >= 1
    leaves.pop()()
    assert client.get(PATH).status_code == 200


def test_a_process_keeps_threads_for_short_requests() -> None:
    assert [stream.Places(threads).most for threads in (1, 8, 12, 64)] == [1, 1, 4, 8]


def test_a_long_poll_returns_when_something_happens(world: AppContext) -> None:
    plant_run(world, "run_1", status="running", event_seq=0)
    turns: list[float] = []

    def pause(seconds: float) -> None:
        turns.append(seconds)
        end_run(world, len(turns))

    stream.await_change(world, "run_1", 30, stream.Places(8), pause=pause)
    assert len(turns) == 1


def test_a_long_poll_without_a_free_place_returns_at_once(world: AppContext) -> None:
    plant_run(world, "run_1", status="running", event_seq=0)
    places = stream.Places(1)
    places.take()
    stream.await_change(world, "run_1", 30, places, pause=lambda _: pytest.fail("it waited"))


def test_live_pages_have_places_of_their_own(app: Flask) -> None:
    assert app.extensions["windlass.live"].most == 32
    assert app.extensions["windlass.live"] is not app.extensions["windlass.places"]
