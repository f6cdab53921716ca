"""Taskservs in local sandboxes: in order, checked for first, installed once, undone with their server."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from app.engine.batches import compose
from app.providers import taskservs
from app.services import batches
from tests.integration.batches.rig import Rig, definition_of, servers

pytestmark = pytest.mark.timeout(120)
SHIPPED = Path("provisioning/taskservs")
THREE = ["kubernetes", "cilium", "containerd"]


@pytest.fixture(autouse=True)
def shipped(rig: Rig) -> Path:
    """The taskservs that come with the service, where the rig looks for them."""
    return Path(copytree(SHIPPED, rig.folder / "taskservs"))


def installing(*names: str, needs: str = "web", **more: Any) -> dict[str, Any]:
    """An operation that installs on the servers of the other one."""
    made = {"id": "soft", "type": "taskserv_batch", "provider": "local", "dependencies": [needs]}
    return {**made, "taskservs": list(names), **more}


def root(rig: Rig, server: str) -> Path:
    """The root of a sandbox."""
    return rig.folder / "default" / server / "root"


def taskserv(rig: Rig, name: str, **scripts: str) -> None:
    """A taskserv of the test: a file of its name, unless a script does otherwise."""
    home = rig.folder / "taskservs" / name
    home.mkdir()
    (home / "taskserv.yaml").write_text("version: '1'\n")
    usual = {
        "check": f'test -f "$HOME/{name}"',
        "install": f'touch "$HOME/{name}"',
        "remove": f'rm -f "$HOME/{name}"',
    }
    for what, script in {**usual, **scripts}.items():
        (home / f"{what}.sh").write_text(script)


def outputs(rig: Rig, batch: str) -> dict[str, Any]:
    """What became of each item of the operation of taskservs, by name."""
    (child,) = [one for one in rig.children(batch) if one["type"] == "batch.taskservs"]
    steps = rig.driver.steps(child["id"]).values()
    items = [((one["given"] or {}).get("item"), one["output"]) for one in steps]
    return {item["name"]: output for item, output in items if isinstance(item, dict)}


def test_the_order_is_asked_once_for_all_servers(rig: Rig) -> None:
    definition = definition_of(servers("web", "a", "b", "c"), installing(*THREE))
    asked: list[Sequence[str]] = []

    def noted(names: Sequence[str]) -> Any:
        asked.append(names)
        return taskservs.in_order(SHIPPED, names)

    made = compose.compose(
        definition,
        definition.operations,
        "lineage",
        defaultdict(lambda: "default"),
        noted,
    )

    assert asked == [tuple(THREE)]
    assert [item["name"] for item in made.nodes[1].input["items"][:2]] == ["containerd@a", "kubernetes@a"]


def test_the_order_follows_from_what_they_require() -> None:
    assert taskservs.in_order(SHIPPED, THREE) == ["containerd", "kubernetes", "cilium"]


def test_the_seeds_taskservs_are_installed_on_both_servers(rig: Rig) -> None:
    batch = rig.run(servers("web", "web-01", "web-02"), installing(*THREE))
    assert rig.driver.status(batch) == "completed"
    found = outputs(rig, batch)
    assert sorted(found) == sorted(f"{name}@{server}" for name in THREE for server in ("web-01", "web-02"))
    assert found["kubernetes@web-02"]["version"] == "Kubernetes v1.34 rehearsed"
    assert {one["effect"] for one in found.values()} == {"created"}
    assert all((root(rig, server) / "usr/local/bin/cilium").exists() for server in ("web-01", "web-02"))


def test_what_is_there_already_is_kept_and_not_undone(rig: Rig) -> None:
    taskserv(rig, "mine", install="exit 1")
    first = rig.run(servers("web"))
    (root(rig, "web-1") / "mine").touch()
    batch = rig.run(installing("mine", targets=["web-1"]) | {"dependencies": []})
    assert (rig.driver.status(batch), outputs(rig, batch)["mine@web-1"]["effect"]) == ("completed", "kept")
    assert rig.roll_back(batch) is None
    assert (rig.driver.status(first), (root(rig, "web-1") / "mine").exists()) == ("completed", True)


def test_a_taskserv_is_removed_from_a_server_that_stays(rig: Rig) -> None:
    taskserv(rig, "mine")
    rig.run(servers("web"))
    batch = rig.run(installing("mine", targets=["web-1"]) | {"dependencies": []})
    assert (root(rig, "web-1") / "mine").exists()
    undone = rig.roll_back(batch)
    assert undone is not None and rig.driver.status(undone) == "completed"
    assert not (root(rig, "web-1") / "mine").exists()
    assert rig.servers() == {"web-1"}


def test_a_taskserv_goes_with_its_server(rig: Rig) -> None:
    taskserv(rig, "mine", remove='touch "$HOME/../../removed"; exit 1')
    batch = rig.run(servers("web"), installing("mine"))
    undone = rig.roll_back(batch)
    assert undone is not None and rig.driver.status(undone) == "completed"
    assert rig.servers() == set()


def test_a_script_that_fails_is_begun_anew_and_reported_with_its_words(rig: Rig) -> None:
    counts = 'echo once >>"$HOME/tries"; echo "no such package" >&2; exit 9'
    taskserv(rig, "broken", install=counts)
    batch = rig.run(servers("web"), installing("broken", on_failure="fail"))
    assert rig.driver.status(batch) == "failed"
    (child,) = [one for one in rig.children(batch) if one["type"] == "batch.taskservs"]
    assert child["error_code"] == "TASKSERV_FAILED"
    assert "exit 9" in child["error_message"] and "no such package" in child["error_message"]
    assert (root(rig, "web-1") / "tries").read_text().split() == ["once"] * 3


def test_what_is_required_and_not_among_them_fails_the_item(rig: Rig) -> None:
    batch = rig.run(servers("web"), installing("cilium", on_failure="fail"))
    assert rig.driver.status(batch) == "failed"
    (child,) = [one for one in rig.children(batch) if one["type"] == "batch.taskservs"]
    assert "requires kubernetes, which is not there" in child["error_message"]


def test_one_that_waited_for_another_and_fails_is_tried_as_often_as_any(rig: Rig) -> None:
    script = rig.folder / "taskservs/kubernetes/install.sh"
    script.write_text('echo once >>"$HOME/tries"; exit 9\n')
    batch = rig.run(servers("web"), installing("kubernetes", "containerd", on_failure="fail"))
    assert rig.driver.status(batch) == "failed"
    assert (root(rig, "web-1") / "tries").read_text().split() == ["once"] * 3
    assert outputs(rig, batch)["containerd@web-1"]["effect"] == "created"


def test_an_undo_that_fails_ends_and_its_repetition_undoes_the_rest(rig: Rig) -> None:
    taskserv(rig, "mine", remove='echo once >>"$HOME/undone"; test -f "$HOME/may" && rm "$HOME/mine"')
    rig.run(servers("web"))
    batch = rig.run(installing("mine", targets=["web-1"]) | {"dependencies": []})
    undone = rig.roll_back(batch)
    assert undone is not None and rig.driver.status(undone) == "failed"
    assert (root(rig, "web-1") / "undone").read_text().split() == ["once"] * 3
    (root(rig, "web-1") / "may").touch()
    again = rig.roll_back(batch)
    assert again is not None and rig.driver.status(again) == "completed"
    assert not (root(rig, "web-1") / "mine").exists()


def test_a_retry_begins_anew_what_was_tried_in_vain(rig: Rig) -> None:
    taskserv(rig, "mine", install='echo once >>"$HOME/tries"; test -f "$HOME/may" && touch "$HOME/mine"')
    batch = rig.run(servers("web"), installing("mine", on_failure="fail"))
    (root(rig, "web-1") / "may").touch()
    again = str(batches.retry(rig.ctx, batch)["workflow_id"])
    rig.finish(again)
    assert (rig.driver.status(again), outputs(rig, again)["mine@web-1"]["effect"]) == ("completed", "created")
    assert len((root(rig, "web-1") / "tries").read_text().split()) == 4


def test_a_folder_without_taskservs_is_distinguished_from_one_without_this_one(tmp_path: Path) -> None:
    with pytest.raises(taskservs.UnknownTaskserv, match="WINDLASS_TASKSERV_DIR names a folder without any"):
        taskservs.read(tmp_path, "containerd")
