"""What controllers and API servers do wrong; all ends as it should, and nothing is left over."""

import pytest

from tests.integration.types.stories import STORIES
from tests.wired import Wired


@pytest.mark.parametrize("name", ["cluster.scale", "cluster.upgrade"])
def test_what_is_called_ready_before_the_work_began_does_not_end_a_change(scene: Wired, name: str) -> None:
    story = STORIES[name]
    cluster_id = story.begin(scene)
    scene.treats(cluster_id, hasty=True, delay_ms=200)
    run_id = scene.ran(name, cluster_id, story.given)
    assert scene.driver.status(run_id) == "completed"
    assert story.facts(scene, cluster_id) == story.well
