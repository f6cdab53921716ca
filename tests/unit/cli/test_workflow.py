"""`windlass workflow` asks the service for the right thing, and shows bare answers."""

import json
from typing import Any

import pytest

from app.cli import failure
from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Reply, Standin
from windlass import Run

RUNS = "/api/workflows/runs"
RUN = {"runId": "run_1", "workflowName": "approve", "status": "pending", "input": [5]}


def bare(value: Any, status: int = 200) -> Reply:
    """An answer without an envelope."""
    return Reply(status=status, content=json.dumps(value).encode())


@pytest.fixture(autouse=True)
def known(service: Standin) -> None:
    """A run, which `RUN` names in short."""
    service.answers(
        "GET", "/v1/workflows/runs", bare({"success": True, "data": [{"id": "run_1"}], "meta": {}})
    )
    service.answers("POST", RUNS, bare(RUN, 201))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["5", "soon", '{"a": 1}'], {"input": [5, "soon", {"a": 1}]}),
        (["-i", '{"amount": 5}'], {"input": [{"amount": 5}]}),
        (["-i", "[1, [2]]"], {"input": [1, [2]]}),
        (["-p", "amount=5", "-p", "by=ada"], {"input": [], "kwargs": {"amount": 5, "by": "ada"}}),
        (["--execution-timeout", "90s"], {"input": [], "executionTimeout": "90s"}),
        (["--run-id", "mine", "--version", "2"], {"input": [], "runId": "mine", "deploymentId": "2"}),
    ],
)
def test_arguments_are_json_or_else_text(
    service: Standin, windlass: Windlass, words: list[str], said: dict[str, Any]
) -> None:
    result = windlass("workflow", "trigger", "approve", *words)

    assert result.exit_code == 0, result.output
    assert service.asked[0].body == {"workflowName": "approve", **said}


@pytest.mark.parametrize("words", [["5", "-i", "[5]"], ["-i", "{"], ["-p", "amount"], ["--max-events", "0"]])
def test_arguments_that_cannot_be_meant_are_refused_here(
    service: Standin, windlass: Windlass, words: list[str]
) -> None:
    assert windlass("workflow", "trigger", "approve", *words).exit_code == 2
    assert service.asked == []


def test_a_run_is_shown_with_what_it_was_given(windlass: Windlass) -> None:
    shown = windlass("workflow", "trigger", "approve", "5").stdout
    assert "run_1" in shown and "approve" in shown


def test_a_list_is_narrowed_by_name_and_status(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", RUNS, bare({"data": [RUN], "cursor": "c", "hasMore": True}))

    result = windlass(
        "workflow", "list", "--workflow", "approve", "--status", "failed", "--limit", "1", "-o", "json"
    )

    assert service.asked[0].query == {"workflowName": "approve", "status": "failed", "limit": "1"}
    assert json.loads(result.stdout) == [RUN]


@pytest.mark.parametrize(
    ("words", "path", "said"),
    [
        (["signal", "run_1", "go", '{"ok": 1}'], f"{RUNS}/run_1/signals", {"name": "go", "data": {"ok": 1}}),
        (["signal", "run_1", "go"], f"{RUNS}/run_1/signals", {"name": "go", "data": None}),
        (
            ["emit", "run_1", "mine", "[1]"],
            "/api/workflows/events",
            {"runId": "run_1", "eventType": "mine", "payload": [1]},
        ),
        (
            ["hook", "create", "run_1", "go", "approve", "-m", '{"a": 1}'],
            "/api/workflows/hooks",
            {"runId": "run_1", "name": "go", "action": "approve", "metadata": {"a": 1}},
        ),
        (["hook", "execute", "tok", '{"ok": 1}'], "/api/workflows/hooks/tok", {"ok": 1}),
    ],
)
def test_a_run_is_told_things(
    service: Standin, windlass: Windlass, words: list[str], path: str, said: dict[str, Any]
) -> None:
    service.answers("POST", path, bare({"signalId": "sig_1", "token": "tok"}, 201))

    result = windlass("workflow", *words)

    assert (result.exit_code, service.asked[-1].path, service.asked[-1].body) == (0, path, said)


def test_a_run_is_cancelled_once_somebody_has_said_yes(service: Standin, windlass: Windlass) -> None:
    service.answers("DELETE", f"{RUNS}/run_1", bare({**RUN, "status": "cancelled"}))

    assert windlass("workflow", "cancel", "run_1").exit_code == 2
    assert windlass("workflow", "cancel", "run_1", "--yes", "--reason", "twice").exit_code == 0
    assert service.asked[-1].body == {"reason": "twice"}


def test_a_refusal_of_a_bare_kind_has_its_exit_status(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", RUNS, bare({"error": {"code": "NOT_FOUND", "message": "unheard-of"}}, 404))

    result = windlass("workflow", "trigger", "nope")

    assert (result.exit_code, "unheard-of" in result.stderr) == (3, True)


def test_a_run_that_went_another_way_is_helped_by_other_code() -> None:
    error = {"code": "NONDETERMINISM", "message": "expected step 'a', found step 'b'"}
    run = Run.of({"id": "run_1", "detail": "blocked", "needsOperator": True, "error": error})
    assert "start a worker whose code" in failure.of_run(run)
