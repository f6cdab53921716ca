"""Why a run does not move is one sentence, whatever it waits for."""

from typing import Any

import pytest

from app.services.waits import sentence

LATER = "2026-01-13T12:05:00.000Z"
RUNNING = {"status": "waiting", "error_code": None}
HELD = {"status": "failed_held", "error_code": "BMC_REFUSED", "error_message": "The BMC says no."}
BUSY = {"code": "BMC_BUSY", "message": "no free session"}


@pytest.mark.parametrize(
    ("waits", "row", "said"),
    [
        (
            {"kind": "lock", "resource": "server/srv_1", "holder": "run_9"},
            RUNNING,
            "Waits for server/srv_1, which run run_9 holds.",
        ),
        (
            {"kind": "timer", "step": "power", "attempt": 2, "error": BUSY, "until": LATER},
            RUNNING,
            f"Attempt 2 of power failed (BMC_BUSY: no free session); the next one is due at {LATER}.",
        ),
        (
            {"kind": "poll", "step": "install", "progress": "40 %", "until": LATER, "deadline": LATER},
            RUNNING,
            f"install is under way (40 %), at the latest until {LATER}; it is looked at again at {LATER}.",
        ),
        (
            {"kind": "operator", "step": "power", "until": LATER},
            HELD,
            "Needs an operator: power failed (BMC_REFUSED: The BMC says no)."
            f" Resume, retry or compensate it; else it is undone at {LATER}.",
        ),
        (
            {"kind": "operator", "paused": True, "step": None},
            {"status": "paused"},
            "An operator has paused it; it goes on when it is unpaused.",
        ),
        (
            {"kind": "worker", "queue": "bmc", "since": LATER},
            RUNNING,
            f"No worker has taken it from the queue bmc, where it waits since {LATER}.",
        ),
        (
            {"kind": "signal", "name": "approval", "until": LATER, "calls": 3},
            RUNNING,
            f"Waits for the signal approval until {LATER} and 2 more.",
        ),
        ({"kind": "hook"}, RUNNING, "Waits for hook."),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_it_says_what_is_waited_for_and_what_ends_that(
    waits: dict[str, Any], row: dict[str, Any], said: str
) -> None:
    assert sentence(waits, row) == said


def test_a_long_reason_is_cut() -> None:
    error = {"code": "STEP_FAILED", "message": "x" * 8_000}
    waits = {"kind": "timer", "step": "power", "attempt": 1, "error": error, "until": LATER}
    assert len(sentence(waits, RUNNING)) < 500
