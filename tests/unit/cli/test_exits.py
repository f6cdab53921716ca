"""The exit status tells a script how it went, and stderr tells people what to do."""

import subprocess
import sys

import pytest

from app.cli import follow
from app.cli.failure import explain
from app.domain.errors import ValidationFailed
from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Reply, Standin, ok, page, problem

RUNS, ONE = "/v1/workflows/runs", "/v1/workflows/runs/run_1"
ACTIONS = "/v1/servers/srv_1/actions"
ERROR = {"code": "BMC_REFUSED", "message": "The controller refused.", "step": "power"}


def run(status: str, **more: object) -> Reply:
    """The run as the service shows it."""
    return ok({"id": "run_1", "type": "server.inspect", "status": status, **more})


def ends(service: Standin, status: str, **more: object) -> None:
    """Script a run that is started and ends so."""
    service.answers("POST", RUNS, ok({"id": "run_1", "status": "pending"}, 202))
    service.answers("GET", ONE, run(status, **more))
    service.answers("GET", f"{ONE}/events", page({"seq": 1, "type": "run.created"}))


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (problem(400, "VALIDATION_ERROR", "No."), 2),
        (problem(404, "NOT_FOUND", "No."), 3),
        (problem(401, "UNAUTHORIZED", "No."), 4),
        (problem(403, "FORBIDDEN", "No."), 4),
        (problem(409, "CONFLICT", "No."), 5),
        (problem(409, "INVALID_STATE_TRANSITION", "No."), 5),
        (problem(412, "PRECONDITION_FAILED", "No."), 5),
        (problem(503, "UNAVAILABLE", "No.", retry_after="3600"), 8),
        (problem(429, "RATE_LIMITED", "No.", retry_after="3600"), 8),
        (problem(500, "INTERNAL_ERROR", "No."), 1),
    ],
)
def test_each_refusal_has_its_status(
    service: Standin, windlass: Windlass, answer: Reply, status: int
) -> None:
    service.answers("POST", ACTIONS, answer)

    result = windlass("server", "inspect", "srv_1")

    assert result.exit_code == status
    assert "Error: No." in result.stderr and "srv_1" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 6), ("cancelled", 7)])
def test_waiting_tells_how_the_run_ended(
    service: Standin, windlass: Windlass, status: str, code: int
) -> None:
    ends(service, status)

    assert windlass("run", "start", "server.inspect", "--wait").exit_code == code


def test_a_held_run_counts_as_failed_and_says_what_to_do(service: Standin, windlass: Windlass) -> None:
    ends(service, "running", detail="failed_held", needsOperator=True, error=ERROR)

    result = windlass("run", "start", "server.inspect", "--wait")

    assert result.exit_code == 6
    for part in ("needs an operator", "The controller refused.", "step: power", "windlass run resume run_1"):
        assert part in result.stderr


def test_a_wait_that_takes_too_long_is_124(service: Standin, windlass: Windlass) -> None:
    ends(service, "running", detail="waiting")

    result = windlass("run", "start", "server.inspect", "--wait", "--timeout", "0")

    assert result.exit_code == 124
    assert "windlass run watch run_1" in result.stderr


def test_nobody_listening_is_8_and_says_how_to_start(windlass: Windlass) -> None:
    result = windlass("run", "get", "run_01arz3ndektsv4rrffq69g5fav", url="http://127.0.0.1:1")

    assert result.exit_code == 8
    assert "cannot be reached" in result.stderr and "windlass up" in result.stderr


@pytest.mark.parametrize("args", [("run", "frobnicate"), ("run", "list", "--limit", "0"), ("nonsense",)])
def test_what_makes_no_sense_is_2(windlass: Windlass, args: tuple[str, ...]) -> None:
    assert windlass(*args).exit_code == 2


def test_an_interruption_is_130(
    service: Standin, windlass: Windlass, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow, "follow", interrupted)
    service.answers("GET", RUNS, page())

    assert windlass("run", "watch", "run_1").exit_code == 130


def test_a_holder_is_named_with_the_way_to_wait(service: Standin, windlass: Windlass) -> None:
    holder = {"runId": "run_9", "step": "install"}
    service.answers("POST", ACTIONS, problem(409, "CONFLICT", "Locked.", holder=holder))

    result = windlass("server", "inspect", "srv_1")

    assert "held by: run_9, step install" in result.stderr
    assert "--queue" in result.stderr


def test_help_needs_no_noun_and_no_library_to_be_imported() -> None:
    code = (
        "import sys; from app.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "large = ('sqlalchemy', 'flask', 'celery', 'redis', 'httpx', 'asyncio')\n"
        "print([name for name in large if name in sys.modules])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "doctor" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_single_wrong_field_is_told_once() -> None:
    told = explain(ValidationFailed.of("type", "'server.provison' is not in the catalogue: server.provision"))
    assert told.count("server.provison") == 1 and told.count("to do:") == 1
