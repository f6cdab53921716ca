"""What controllers and API servers do wrong; all ends as it should, and nothing is left over."""

from typing import Any

import pytest

from app.providers import kube
from tests.integration.types.stories import STORIES, broken
from tests.support.wired import Wired

MANAGED = [name for name in STORIES if name.startswith(("cluster.", "vm."))]
TROUBLES: dict[str, dict[str, Any]] = {
    "refused as stale": {"conflicts": 1.0},
    "throttled": {"throttle": 1.0, "retry_after": 7},
    "failing": {"errors": 1.0, "error_status": 500},
    "not there": {"errors": 1.0, "error_status": 503},
    "not answering": {"drop": 1.0},
    "losing answers": {"lose": 1.0},
    "silent after it took an order": {"lose": 1.0, "hang": True},
    "silent": {"dead": True},
    "not knowing us": {"expired": True},
}
PATCHING = ("cluster.create", "cluster.scale", "cluster.upgrade", "vm.create")  # Nothing else can be stale.
CASES = [(name, one) for name in MANAGED for one in TROUBLES if one != "refused as stale" or name in PATCHING]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than this does not come."""
    monkeypatch.setattr(kube, "READ_S", 0.15)


@pytest.mark.parametrize(("name", "trouble"), CASES)
def test_trouble_with_the_api_server_passes(scene: Wired, name: str, trouble: str) -> None:
    story = STORIES[name]
    resource_id = story.begin(scene)
    run_id = scene.start(name, resource_id, story.given)
    scene.suffers(**TROUBLES[trouble], fail_times=3)
    assert scene.finish(run_id) == "completed"
    assert [event for event in scene.driver.events(run_id) if event.startswith("step.retrying")]
    assert story.facts(scene, resource_id) == story.well


@pytest.mark.parametrize("trouble", ["refused as stale", "throttled", "losing answers"])
@pytest.mark.parametrize("name", ["cluster.create", "cluster.scale", "vm.create"])
def test_trouble_while_a_failure_is_undone_passes(scene: Wired, name: str, trouble: str) -> None:
    story = STORIES[name]
    resource_id, run_id = broken(scene, name, "hold")
    scene.suffers(**TROUBLES[trouble], fail_times=3)
    scene.driver.act(run_id, "compensate")
    assert scene.finish(run_id) == "failed"
    assert story.facts(scene, resource_id) == story.failed


@pytest.mark.parametrize(("asked", "waited"), [(7, 7_000), (3600, 300_000)])
def test_an_overloaded_server_is_left_alone_as_long_as_it_asks(scene: Wired, asked: int, waited: int) -> None:
    vm_id = scene.plant_vm()
    scene.suffers(throttle=1.0, retry_after=asked)
    run_id = scene.start("vm.create", vm_id)
    scene.hangs(run_id, "create-vm")
    left = scene.driver.step(run_id, "create-vm")["retry_at"] - scene.db.read(lambda tx: tx.now)
    assert waited - 2_000 <= left <= waited + 1_000


@pytest.mark.parametrize("name", ["cluster.scale", "cluster.upgrade"])
def test_what_is_called_ready_before_the_work_began_does_not_end_a_change(scene: Wired, name: str) -> None:
    story = STORIES[name]
    cluster_id = story.begin(scene)
    scene.treats(cluster_id, hasty=True, delay_ms=200)
    run_id = scene.ran(name, cluster_id, story.given)
    assert scene.driver.status(run_id) == "completed"
    assert story.facts(scene, cluster_id) == story.well


@pytest.mark.parametrize(
    ("name", "step"), [("cluster.create", "apply-deployment"), ("vm.create", "create-vm")]
)
def test_a_name_is_taken_when_the_old_one_is_truly_gone(scene: Wired, name: str, step: str) -> None:
    plant = scene.plant_cluster if name == "cluster.create" else scene.plant_vm
    old = plant()
    scene.ran(name, old)
    scene.treats(old, stuck=True)
    scene.delete(old)
    fresh = plant(name=scene.name_of(old), management_id="mgt_by_another_way")
    run_id = scene.start(name, fresh)
    scene.hangs(run_id, step)
    assert "still being deleted" in str(scene.driver.step(run_id, step)["error"])
    scene.treats(old)
    assert scene.finish(run_id) == "completed"
    assert scene.effects(fresh).count("create") == 2 and scene.effects(fresh).count("gone") == 1
