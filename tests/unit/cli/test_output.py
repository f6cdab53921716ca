"""Data goes to stdout in the form wished for; talk goes to stderr."""

import json

import pytest
import yaml

from app.cli.cells import cell, duration, member
from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Standin, ok, page

RUNS = "/v1/workflows/runs"
RUN = {
    "id": "run_01arz3ndektsv4rrffq69g5fav",
    "type": "server.provision",
    "status": "failed",
    "detail": "failed",
    "durationMs": 323000,
    "error": {"code": "BMC_REFUSED", "message": "No.", "step": "power"},
    "steps": [{"name": "reserve", "status": "completed"}, {"name": "power", "status": "failed"}],
}


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
@pytest.mark.parametrize("before", [True, False])
def test_programs_get_what_the_service_sent(
    service: Standin, windlass: Windlass, form: str, read: object, before: bool
) -> None:
    assert callable(read)
    service.answers("GET", RUNS, page(RUN))
    args = ("-o", form, "run", "list") if before else ("run", "list", "-o", form)

    result = windlass(*args)

    assert read(result.stdout) == [RUN]


def test_people_get_a_table(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", RUNS, page(RUN))

    head, line = windlass("run", "list").stdout.splitlines()

    assert head.split() == ["ID", "TYPE", "STATUS", "RESOURCE", "BY", "STARTED", "TOOK", "ERROR"]
    assert line.split() == [RUN["id"], "server.provision", "failed", "5m23s", "BMC_REFUSED"]


def test_one_run_shows_its_steps(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", f"{RUNS}/{RUN['id']}", ok(RUN))

    shown = windlass("run", "get", str(RUN["id"])).stdout

    assert "reserve" in shown and "power" in shown


def test_hints_stay_out_of_the_way_of_programs(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", "/v1/workflows/types", ok([]))

    assert "Next: windlass type show" in windlass("type", "list").stderr
    assert "Next" not in windlass("type", "list", "-o", "json").stderr


def test_a_log_line_cannot_steer_the_terminal(service: Standin, windlass: Windlass) -> None:
    run_id = RUN["id"]
    event = {"seq": 1, "type": "step.log", "step": "x", "payload": {"message": "a\u001b[2Jb"}}
    service.answers("GET", f"{RUNS}/{run_id}/events", page(event, {"seq": 2, "type": "run.failed"}))

    shown = windlass("run", "logs", str(run_id)).stdout

    assert "\u001b" not in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ({"a": 1, "b": {"c": 2}}, "a=1 b=(c=2)"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
    ],
)
def test_cells_are_short_and_harmless(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(None, ""), (45, "45ms"), (1500, "1.5s"), (323000, "5m23s"), (7_500_000, "2h05m")]
)
def test_durations_are_readable(ms: int | None, text: str) -> None:
    assert duration(ms) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50 %"), (1.0, "100 %"), (0.9996, "99.9 %"), (0.0, "0 %"), (None, "")]
)
def test_a_share_is_read_in_hundredths_and_all_means_all(share: float | None, text: str) -> None:
    assert member({"summary": {"successRate": share}}, "summary.successRate") == text
