"""Workers that are killed in every step and every undo: the same end, made once, and nothing is left over."""

from collections.abc import Iterator
from typing import Any

import pytest

from chains import catalogue
from tests.integration.types.killer import Moment, Mortal
from tests.integration.types.stories import STORIES
from tests.support.wired import Wired

MANAGED = [name for name in STORIES if name.startswith(("cluster.", "vm."))]
# Steps and undos that order something from somebody else, and can die between the order and its note.
ORDERS = {
    "cluster.create": ("allocate-resources", "apply-deployment"),
    "cluster.scale": ("allocate-resources", "patch-config"),
    "cluster.upgrade": ("patch-template",),
    "cluster.delete": ("delete-deployment", "release-resources"),
    "vm.create": ("create-vm", "start-vm"),
    "vm.power": ("call-subresource",),
    "vm.delete": ("stop", "delete-vm"),
}


def steps(name: str) -> list[str]:
    """The steps of a type."""
    kind = catalogue.lookup(name)
    return [row.key for row in kind.plan({**(kind.example or {}), **STORIES[name].given}).rows()]


def places(phase: str) -> Iterator[Any]:
    """Each type, each step of it, each moment at which a worker can die there."""
    for name in MANAGED:
        for key in steps(name) if phase == "forward" else STORIES[name].undone:
            moments: list[Moment] = ["before", "after"]
            if key in ORDERS[name] and (phase, key) not in NO_ORDER:
                moments.append("amid")
            yield from (pytest.param(name, key, moment, id=f"{name}-{key}-{moment}") for moment in moments)


NO_ORDER = {("comp", "patch-template")}  # There is no way back, so nothing is ordered.


@pytest.fixture
def mortal(scene: Wired) -> Mortal:
    """The driver, before it is told whom to kill."""
    assert isinstance(scene.driver, Mortal)
    return scene.driver


@pytest.mark.parametrize(("name", "key", "moment"), list(places("forward")))
def test_a_worker_dies_in_a_step(
    scene: Wired, mortal: Mortal, monkeypatch: pytest.MonkeyPatch, name: str, key: str, moment: Moment
) -> None:
    story = STORIES[name]
    resource_id = story.begin(scene)
    mortal.condemn(monkeypatch, "forward", key, moment)
    run_id = scene.ran(name, resource_id, story.given)
    assert mortal.struck and scene.driver.status(run_id) == "completed"
    assert story.facts(scene, resource_id) == story.well


@pytest.mark.parametrize(("name", "key", "moment"), list(places("comp")))
def test_a_worker_dies_in_an_undo(
    scene: Wired, mortal: Mortal, monkeypatch: pytest.MonkeyPatch, name: str, key: str, moment: Moment
) -> None:
    story = STORIES[name]
    resource_id = story.begin(scene)
    story.breaks(scene, resource_id)
    mortal.condemn(monkeypatch, "comp", key, moment)
    run_id = scene.start(name, resource_id, story.given)
    if story.gives_up:
        scene.hangs(run_id, story.at)
        scene.driver.fire(run_id, "deadline")
    assert (scene.finish(run_id), mortal.struck) == ("failed", ["body"])
    assert tuple(scene.undone(run_id)) == story.undone
    assert story.facts(scene, resource_id) == story.failed


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
@pytest.mark.parametrize("action", ["stop", "restart"])
def test_a_machine_is_switched_once(
    scene: Wired, mortal: Mortal, monkeypatch: pytest.MonkeyPatch, action: str, moment: Moment
) -> None:
    vm_id = STORIES["vm.delete"].begin(scene)
    mortal.condemn(monkeypatch, "forward", "call-subresource", moment)
    run_id = scene.ran("vm.power", vm_id, {"action": action})
    assert (scene.driver.status(run_id), mortal.struck) == ("completed", ["body"])
    assert scene.effects(vm_id) == ["create", "start", action]


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
def test_a_server_too_many_is_given_back_once(
    scene: Wired, mortal: Mortal, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    cluster_id = STORIES["cluster.scale"].begin(scene)
    mortal.condemn(monkeypatch, "forward", "release-surplus", moment)
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 1})
    assert mortal.struck and scene.driver.status(run_id) == "completed"
    facts = STORIES["cluster.scale"].facts(scene, cluster_id)
    assert (facts["machines"], facts["servers"], len(facts["nodes"])) == (1, (1, 2), 2)
    assert scene.servers() == [("available", False)] * 2 + [("provisioned", True)]
