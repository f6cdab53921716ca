"""The suite of the Workflow DevKit's vendor for whoever keeps its runs, unchanged."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.devkit import installed

pytestmark = [pytest.mark.sdk, pytest.mark.sqlite]
TESTS, SUITE_S = 12, 500.0


def test_the_kit_for_worlds_passes_whole(apps_api: str, tmp_path: Path) -> None:
    modules = installed("kit", tmp_path)
    node, vitest = modules / "node" / "bin", modules / "vitest" / "vitest.mjs"
    env = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "PLT_WORLD_SERVICE_URL": apps_api}

    subprocess.run(
        [node / "node", vitest, "run", "--reporter=json", "--outputFile=said.json"],
        cwd=tmp_path,
        env={**env, "WORLD_SPEC": "5"},  # The kit knows no later one.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=SUITE_S,
        check=False,
    )

    said = json.loads((tmp_path / "said.json").read_text())
    assert [one["failureMessages"] for one in said["testResults"][0]["assertionResults"]] == [[]] * TESTS
