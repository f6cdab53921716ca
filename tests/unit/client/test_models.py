"""Models read the JSON of the contract and survive a newer service."""

from datetime import UTC, datetime

import pytest

from windlass import Run, Server
from windlass.decode import body, camel

SEED = {
    "id": "run_abc123",
    "type": "cluster.create",
    "status": "failed",
    "resourceType": "cluster",
    "startedAt": "2025-01-12T10:00:00Z",
    "durationMs": 323000,
    "error": {"code": "POOL_CAPACITY_EXCEEDED", "message": "Not enough", "step": "allocate-resources"},
    "steps": [
        {"name": "validate", "status": "completed", "durationMs": 45},
        {"name": "allocate-resources", "status": "failed", "durationMs": 322835},
    ],
}


def test_the_run_of_the_seed_is_read_whole() -> None:
    run = Run.of(SEED)

    assert run.started_at == datetime(2025, 1, 12, 10, tzinfo=UTC)
    assert run.error is not None and run.error.step == "allocate-resources"
    assert [(step.name, step.duration_ms) for step in run.steps] == [
        ("validate", 45),
        ("allocate-resources", 322835),
    ]
    assert run.ended


def test_members_of_a_newer_service_stay_readable_in_raw() -> None:
    server = Server.of({"id": "srv_1", "state": "available", "colour": "green"})

    assert server.raw["colour"] == "green"


def test_null_members_take_the_default() -> None:
    assert Run.of({"id": "run_1", "tags": None, "error": None}).tags == ()


def test_a_held_run_is_settled_but_has_not_ended() -> None:
    run = Run.of({"id": "run_1", "status": "running", "needsOperator": True})

    assert (run.settled, run.ended) == (True, False)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("id", "id"), ("boot_mac", "bootMac"), ("failure_reasons", "failureReasons")]
)
def test_names_become_camel_case(ours: str, theirs: str) -> None:
    assert camel(ours) == theirs


def test_a_body_leaves_out_what_was_not_given() -> None:
    assert body(from_="earliest", reason=None, from_step="power-2") == {
        "from": "earliest",
        "fromStep": "power-2",
    }
