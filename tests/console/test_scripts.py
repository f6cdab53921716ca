"""The console's scripts without a browser: their types, and what they compute, by Node."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from tests.support.devkit import SDKS
from tests.support.servers import absent

HERE = Path(__file__).parent / "scripts"
APP = Path(__file__).parents[2] / "app"
OWN = [
    *sorted((APP / "console" / "static" / "js").glob("*.js")),
    APP / "api" / "docs" / "templates" / "viewer.js",
]


@pytest.fixture(scope="module")
def node() -> Path:
    """The folder of packages that `scripts/sdks` has installed for this."""
    modules = SDKS / "console" / "node_modules"
    if (lock := SDKS / "lock").exists():
        with lock.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_SH)  # An installation may be under way.
    if not (modules.parent / "installed").exists():
        absent("TypeScript is not installed: scripts/sdks")
    return modules


def run(node: Path, *argv: str) -> None:
    """Run Node; what it says fails the test when it fails."""
    program = str(node / "node" / "bin" / "node")
    ended = subprocess.run(
        [program, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("script", OWN, ids=lambda path: path.name)
def test_each_script_asks_for_its_types_to_be_checked(script: Path) -> None:
    assert "// @ts-check" in script.read_text().splitlines()[:3]


def test_the_types_of_the_scripts_hold(node: Path) -> None:
    run(node, str(node / "typescript" / "bin" / "tsc"), "-p", str(HERE))


def test_what_the_scripts_compute(node: Path) -> None:
    run(node, "--test", str(HERE / "scripts.test.mjs"))
