"""`windlass batch` asks for the right thing, shows it, and ends with the status of the table."""

import json
from pathlib import Path

import pytest

from app.cli.batch_tree import Lines, tree
from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Standin
from tests.unit.client.test_batches import BASE, COMPLETED, ONE, RUNNING, refused, stream, told
from windlass import Batch, BatchProgress

PROGRAM = '{ batch_workflow = { name = "web" } }'
OPERATIONS = [
    {"id": "servers", "status": "Completed", "items": [{"name": "web-01", "status": "Completed"}]},
    {
        "id": "taskservs",
        "status": "Failed",
        "items": [{"name": "cilium@web-01", "status": "Failed", "error": "No answer"}],
        "error": {"code": "STEP_FAILED", "message": "cilium@web-01: No answer"},
    },
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A definition in Nickel."""
    found = tmp_path / "web.ncl"
    found.write_text(PROGRAM)
    return found


def test_a_program_is_submitted_as_it_is(service: Standin, windlass: Windlass, file: Path) -> None:
    submitted = {"workflow_id": "b-1", "name": "web", "levels": [["servers"], ["taskservs"]]}
    service.answers("POST", f"{BASE}/submit", told(submitted, 202))

    result = windlass("batch", "submit", str(file), "--only", "servers", "--key", "k-1")

    assert result.exit_code == 0, result.output
    assert "servers > taskservs" in result.output
    assert service.asked[0].body == {"nickel": PROGRAM, "only": ["servers"]}
    assert service.asked[0].headers["idempotency-key"] == "k-1"


def test_a_program_with_files_of_its_own_is_evaluated_here(
    service: Standin, windlass: Windlass, file: Path
) -> None:
    (file.parent / "sizes.ncl").write_text('{ small = "1xCPU-2GB" }')
    file.write_text('{ batch_workflow = { name = (import "sizes.ncl").small } }')
    service.answers("POST", f"{BASE}/submit", told({"workflow_id": "b-1"}, 202))

    windlass("batch", "submit", str(file))

    assert service.asked[0].body == {"batch_workflow": {"name": "1xCPU-2GB"}, "source": file.read_text()}


def test_json_may_have_the_outer_record_or_not(service: Standin, windlass: Windlass, tmp_path: Path) -> None:
    service.answers("POST", f"{BASE}/submit", told({"plan": {"operations": []}}), told({}))
    for number, content in enumerate(({"batch_workflow": {"name": "web"}}, {"name": "web"})):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(content))
        windlass("batch", "plan", str(file))

    assert [asked.body for asked in service.asked] == [
        {"batch_workflow": {"name": "web"}, "dry_run": True}
    ] * 2


def test_a_refusal_is_told_with_its_code(service: Standin, windlass: Windlass, file: Path) -> None:
    service.answers("POST", f"{BASE}/submit", refused(422, "DEPENDENCY_CYCLE", cycle=["a", "b"]))

    result = windlass("batch", "submit", str(file))

    assert result.exit_code == 2
    assert "Error: No batch. [DEPENDENCY_CYCLE]" in result.output


@pytest.mark.parametrize(
    ("status", "code"),
    [("Completed", 0), ("Failed", 6), ("PartiallyCompleted", 6), ("RolledBack", 6), ("Cancelled", 7)],
)
def test_monitor_ends_with_the_result(service: Standin, windlass: Windlass, status: str, code: int) -> None:
    ended = {**COMPLETED, "status": status, "name": "web", "operations": OPERATIONS}
    service.answers("GET", f"{ONE}/progress", stream((3, RUNNING), (9, {**ended})))
    service.answers("GET", ONE, told({**RUNNING, "operations": OPERATIONS}), told(ended))

    result = windlass("batch", "monitor", "b-1")

    assert result.exit_code == code, result.output
    assert "servers  Completed  1/1 items" in result.output
    assert "cilium@web-01: No answer [STEP_FAILED]" in result.output


def test_a_line_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for _ in range(3):
        lines.saw(BatchProgress.of(RUNNING), Batch.of({**RUNNING, "operations": OPERATIONS}))

    assert len(capsys.readouterr().err.splitlines()) == 3


def test_the_tree_shows_what_moves_and_counts_the_rest() -> None:
    many = [{"id": f"op-{at}", "status": "Completed"} for at in range(60)]
    found = tree(BatchProgress.of(RUNNING), Batch.of({**RUNNING, "operations": [*many, OPERATIONS[1]]}))

    said = [str(branch.label) for branch in found.children]
    assert said[-1] == "… and 21 more operations"
    assert any("taskservs" in line for line in said)


def test_a_list_is_asked_by_status(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", BASE, told([{**RUNNING, "name": "web"}], pagination={"total": 1}))

    result = windlass("batch", "list", "--status", "Running")

    assert "b-1" in result.output
    assert service.asked[0].query["status"] == "Running"


def test_a_rollback_says_what_is_undone(service: Standin, windlass: Windlass) -> None:
    undone = {"rollback_id": "b-2", "workflow_id": "b-1", "operations": ["taskservs"]}
    service.answers("POST", f"{ONE}/rollback", told(undone, 202))

    result = windlass("batch", "rollback", "b-1", "--to", "cp-0001", "--operation", "taskservs", "--yes")

    assert result.exit_code == 0
    assert service.asked[0].body == {"checkpoint_id": "cp-0001", "operations": ["taskservs"]}
    assert "taskservs" in result.output


def test_a_retry_names_the_new_batch(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", f"{ONE}/retry", told({"workflow_id": "b-2"}, 202))

    result = windlass("batch", "retry", "b-1", "--all")

    assert "batch b-2" in result.output
    assert service.asked[0].body == {"from": "failed", "operations": [], "only_failed": False}


def test_a_graph_is_printed_for_other_programs(service: Standin, windlass: Windlass) -> None:
    nodes = [
        {
            "id": "servers",
            "type": "server_batch",
            "provider": "local",
            "status": "Completed",
            "dependencies": [],
        },
        {
            "id": "taskservs",
            "type": "taskserv_batch",
            "provider": "local",
            "status": "Running",
            "dependencies": [{"id": "servers", "type": "soft"}],
        },
    ]
    service.answers("GET", ONE, told({**RUNNING, "operations": nodes}))

    drawn = windlass("batch", "graph", "b-1").output

    assert drawn.startswith("flowchart TD\n")
    assert '  n0["servers<br/>server_batch local Completed"]:::Completed' in drawn
    assert "  n0 -.-> n1" in drawn
