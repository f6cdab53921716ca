"""Every type of the catalogue ends well, fails and is undone, is cancelled, is retried from a step."""

import pytest

from chains import catalogue
from tests.integration.types.stories import STORIES, Story, broken
from tests.support.wired import Wired


def told(scene: Wired, name: str, begun: str) -> dict[str, object]:
    """What is true of the resource, as the story tells it."""
    return dict(STORIES[name].facts(scene, begun))


def test_every_type_has_its_story() -> None:
    ours = {name for name, kind in catalogue.types().items() if kind.compose.__module__.startswith("chains.")}
    observing = {name for name in ours if name.startswith("sync.")}  # They change nothing in the world.
    graphs = {name for name in ours if name.startswith("batch.")}  # tests/integration/batches tells theirs.
    assert STORIES.keys() == ours - observing - graphs


@pytest.fixture(params=STORIES)
def name(request: pytest.FixtureRequest) -> str:
    """Each type."""
    return str(request.param)


@pytest.fixture
def story(name: str) -> Story:
    """Its story."""
    return STORIES[name]


def test_it_ends_well(scene: Wired, name: str, story: Story) -> None:
    resource_id = story.begin(scene)
    run_id = scene.ran(name, resource_id, story.given)
    assert scene.driver.status(run_id) == "completed"
    assert told(scene, name, resource_id) == dict(story.well)


def test_it_fails_and_is_undone(scene: Wired, name: str, story: Story) -> None:
    resource_id, run_id = broken(scene, name, "compensate")
    assert (scene.driver.status(run_id), scene.error(run_id)[1]) == ("failed", story.at)
    assert tuple(scene.undone(run_id)) == story.undone
    assert told(scene, name, resource_id) == dict(story.failed)


def test_it_is_cancelled(scene: Wired, name: str, story: Story) -> None:
    resource_id = story.begin(scene)
    story.delays(scene, resource_id)
    run_id = scene.start(name, resource_id, story.given)
    scene.hangs(run_id, story.at)
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "cancelled"
    assert told(scene, name, resource_id) == dict(story.cancelled)


def test_it_is_held_mended_and_retried_from_where_it_failed(scene: Wired, name: str, story: Story) -> None:
    resource_id, run_id = broken(scene, name, "hold")
    assert scene.driver.status(run_id) == "failed_held"
    story.mends(scene, resource_id)
    again = scene.driver.retry(run_id, from_step=story.at)
    assert scene.finish(again) == "completed"
    assert told(scene, name, resource_id) == dict(story.well)
    assert scene.driver.holder(f"{name.partition('.')[0]}/{resource_id}") is None
