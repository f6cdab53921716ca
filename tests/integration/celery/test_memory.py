"""What pool processes share with the worker that forked them."""

from pathlib import Path

from app.config import Settings
from tests.integration.celery.workers import Worker


def test_pool_processes_that_have_done_nothing_have_little_memory_of_their_own(
    settings: Settings, tmp_path: Path
) -> None:
    with Worker(settings, tmp_path, "tasks", processes=3) as worker:
        family = [one.memory_full_info() for one in worker.main.children()]
    assert len(family) == 3
    assert all(one.uss < one.rss / 3 for one in family), family
