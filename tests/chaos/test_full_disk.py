"""A disk that is full: runs are refused in words, and taken again when there is room."""

from pathlib import Path

import pytest

from tests.chaos.fault import SQLITE, Setting
from tests.chaos.site import Site
from tests.chaos.test_faults_site import FEW, accepted, ended, start, struck


@pytest.mark.sqlite
def test_a_full_disk_refuses_runs_until_it_is_healed(tmp_path: Path) -> None:
    with Site(SQLITE, tmp_path, setting=Setting(env=FEW), hosts=1, reconcilers=0) as site:
        with struck(site, "sqlite-disk-full"):
            body: dict[str, object] = {"type": "chaos.line", "input": {"trail": [1] * 50_000}}
            assert accepted(site, body) is None
        assert ended(site, start(site)) == "completed"
