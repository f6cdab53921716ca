"""Lists and sheets in a terminal of 80, 120 and 200 columns: everything can be read, nothing is folded."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app.cli import columns as shapes
from app.cli import tables
from tests.support.terminal import screen
from tests.unit.client.standin import Standin, ok, page

RUNS = "/v1/workflows/runs"
RUN_ID, SERVER_ID = "run_01arz3ndektsv4rrffq69g5fav", "srv_01arz3ndektsv4rrffq69g5fbw"
AT = "2026-01-01T19:07:04.000Z"
RUN: dict[str, Any] = {
    "id": RUN_ID,
    "type": "server.provision",
    "status": "running",
    "detail": "failed_held",
    "resourceType": "server",
    "resourceId": SERVER_ID,
    "resourceName": "rack-7-slot-12",
    "triggeredBy": "usr_local",
    "createdAt": AT,
    "startedAt": AT,
    "durationMs": 23_400,
    "error": {"code": "BMC_CONNECTION_FAILED", "message": "10.0.7.12:623 does not answer.", "step": "power"},
    "needsOperator": True,
    "progress": 29,
    "input": {"serverId": SERVER_ID, "image": {"url": "https://images.example/debian-12.qcow2"}},
    "output": {"powerState": "off"},
    "steps": [
        {"name": "boot-from", "status": "completed", "durationMs": 320, "kind": "task"},
        {"name": "power-2", "status": "failed", "attempt": 3, "error": {"message": "It does not answer."}},
    ],
    "waitingOn": {
        "kind": "operator",
        "text": "Needs an operator: power-2 failed (BMC_CONNECTION_FAILED: 10.0.7.12:623 does not answer). "
        "Resume, retry or compensate it; else it is undone at 2026-01-01T19:22:04.000Z.",
    },
}
SERVER = {
    "id": SERVER_ID,
    "displayName": "rack-7-slot-12",
    "state": "provisioning",
    "power": "off",
    "protocol": "redfish",
    "bmcAddress": "10.0.7.12:443",
    "poolId": "pool_01arz3ndektsv4rrffq69g5fcx",
    "maintenance": False,
    "healthStatus": {"status": "healthy"},
    "hardware": {"cpu": {"count": 2, "model": "Xeon"}, "disks": [{"name": "sda", "sizeGb": 480}]},
}
LOCK = {
    "resource": f"server/{SERVER_ID}",
    "runId": RUN_ID,
    "type": "server.provision",
    "detail": "failed_held",
    "step": "power-2",
    "grantedAt": AT,
    "ageMs": 61_000,
    "waiters": [{"runId": "run_01arz3ndektsv4rrffq69g5fdy", "since": AT}],
}
TYPE = {
    "type": "server.provision",
    "resource": "server",
    "onFailure": "hold",
    "expectedDurationMs": 1_500_000,
    "paused": False,
    "description": "Install an operating system on a registered machine.",
}
LISTS: dict[str, tuple[tables.Columns, dict[str, Any], tuple[str, ...]]] = {
    # The columns, what is in the list, and what must be read at any width.
    "runs": (shapes.RUNS, RUN, ("69g5fav", "server.provision", "! failed_held", "rack-7-slot-12")),
    "waiting": (shapes.WAITING, RUN, ("69g5fav", "Needs an operator:", "BMC_CONNECTION_FAILED:")),
    "servers": (shapes.SERVERS, SERVER, ("69g5fbw", "rack-7-slot-12", "▶ provisioning", "✔ healthy")),
    "locks": (shapes.LOCKS, LOCK, ("69g5fbw", "69g5fav", "1m01s")),
    "types": (shapes.TYPES, TYPE, ("server.provision", "Install an operating")),
}
NOW = datetime(2026, 1, 1, 19, 10, tzinfo=UTC)
WIDTHS = (80, 120, 200)


def drawn(table: Table, columns: int) -> list[str]:
    """The table as lines of text."""
    console = Console(width=columns, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_can_be_read_at_any_width(name: str, columns: int) -> None:
    shape, row, words = LISTS[name]

    lines = drawn(tables.rows([row], shape, width=columns, now=NOW), columns)

    assert [word for word in words if word not in "\n".join(lines)] == []
    assert max(map(len, lines)) <= columns and "{" not in "\n".join(lines)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", ["runs", "servers", "locks"])
def test_a_row_takes_one_line(name: str, columns: int) -> None:
    shape, row, _ = LISTS[name]

    assert len(drawn(tables.rows([row, row], shape, width=columns, now=NOW), columns)) == 3


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_terminal_gets_what_fits_it(service: Standin, columns: int) -> None:
    service.answers("GET", RUNS, page(RUN))

    shown = screen(["run", "list"], columns, WINDLASS_URL=service.url)

    assert len(shown[0]) <= columns and "! failed_held" in shown[1] and "rack-7-slot-12" in shown[1]
    assert "1 needs an operator" in "\n".join(shown)


def test_a_wide_table_has_everything_in_full(service: Standin) -> None:
    service.answers("GET", RUNS, page(RUN))

    text = "".join(screen(["run", "list", "-o", "wide"], 80, WINDLASS_URL=service.url))

    assert RUN_ID in text and AT in text and "usr_local" in text


def test_a_run_shows_input_output_steps_and_what_to_do(service: Standin) -> None:
    service.answers("GET", f"{RUNS}/{RUN_ID}", ok(RUN))

    text = "\n".join(screen(["run", "get", RUN_ID], 80, WINDLASS_URL=service.url))

    for told in ("29 %", "powerState: off", "✘ failed", "rack-7-slot-12", "to do: ", "  url: https://images"):
        assert told in text
    assert "{" not in text


def test_the_sheet_of_a_server_says_why_it_is_unhealthy_and_by_which_certificate_it_is_known() -> None:
    health = {"status": "unhealthy", "failureReasons": ["certificate refused"]}
    server = {**SERVER, "healthStatus": health, "certificate": "d10fb7"}

    text = "\n".join(drawn(tables.sheet(server, shapes.SERVER), 80))

    assert all(re.search(row, text) for row in (r"Failures +certificate refused", r"Certificate +d10fb7"))


def test_a_server_shows_its_hardware_as_lines() -> None:
    text = "\n".join(drawn(tables.sheet(SERVER, shapes.SERVER), 80))

    assert "model: Xeon" in text and "- name: sda" in text and "{" not in text


def test_an_action_answers_with_its_run_alone(service: Standin) -> None:
    service.answers("POST", f"/v1/servers/{SERVER_ID}/actions", ok(SERVER, 202, workflowId=RUN_ID))

    shown = screen(["server", "power", "on", SERVER_ID], 80, WINDLASS_URL=service.url)

    assert RUN_ID in shown[0] and "Xeon" not in "".join(shown) and len(shown) <= 6
