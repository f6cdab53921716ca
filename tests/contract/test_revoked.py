"""A stream ends when whoever reads it may not any more: a key is revoked, a session ends."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.batch import progress
from app.api.http import stream
from app.console import live
from app.services import keys, permit, sessions
from app.services.context import AppContext
from tests.contract.plant import bearer, plant_run
from tests.contract.test_batches import LOCAL, SUBMIT

LIVE = "/console/live?of=/v1/workflows/runs"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn asks about the key, and each turn says something, so that a stream that goes on is seen."""
    monkeypatch.setattr(permit, "CHECK_S", 0.0)
    for module in (stream, progress, live):
        monkeypatch.setattr(module, "BEAT_S", 0.0)
    monkeypatch.setattr(live, "EVERY_S", 0.01)


@pytest.fixture
def admin(world: AppContext) -> dict[str, str]:
    return bearer(world, "chief", "admin")


def opened(client: FlaskClient, path: str, **how: Any) -> Iterator[bytes]:
    """The parts of a stream that has begun."""
    answer = client.get(path, buffered=False, **how)
    assert answer.status_code == 200
    parts = iter(answer.iter_encoded())
    assert next(parts) == b"retry: 2000\n\n"
    assert next(parts)
    return parts


def ends(parts: Iterator[bytes]) -> bool:
    """Whether a stream ends with the turn that it is at; each turn would have a part."""
    return len(list(islice(parts, 3))) < 3


def test_the_stream_of_a_run_ends_with_its_key(guarded: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", status="running", event_seq=0)
    parts = opened(guarded, "/v1/workflows/runs/run_1/stream", headers=bearer(world, "reader", "runs:read"))
    keys.revoke(world, "reader")
    assert ends(parts)


def test_the_progress_of_a_batch_ends_with_its_key(
    guarded: FlaskClient, world: AppContext, admin: dict[str, str]
) -> None:
    made = guarded.post(SUBMIT, json={"batch_workflow": LOCAL}, headers=admin).get_json()
    reader = bearer(world, "reader", "runs:read") | {"Accept": "text/event-stream"}
    parts = opened(guarded, f"/v1/workflows/batch/{made['data']['workflow_id']}/progress", headers=reader)
    keys.revoke(world, "reader")
    assert ends(parts)


def test_a_live_page_ends_with_its_session(guarded: FlaskClient, world: AppContext) -> None:
    _, token, _ = keys.create(world, "reader", ["runs:read"])
    _, session = sessions.create(world, token)
    guarded.set_cookie("__Host-windlass-session", session, domain="windlass.example", secure=True)
    parts = opened(guarded, LIVE, base_url="https://windlass.example")
    sessions.end(world, session)
    assert ends(parts)


def test_a_page_without_a_key_ends_when_keys_are_asked_for(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", status="running", event_seq=0)
    parts = opened(client, "/v1/workflows/runs/run_1/stream")
    keys.create(world, "first", ["admin"])
    keys._looked_until.clear()
    assert ends(parts)
