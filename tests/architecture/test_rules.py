"""The house rules catch what they forbid."""

import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = (
    ("tests/test_a.py", "    time.sleep(1)"),
    ("tests/test_a.py", "from time import sleep"),
    ("README.rst", "cd /home/somebody/windlass"),
    ("app/engine/messages/publisher.py", "    import pyghmi.ipmi.command"),
    ("tests/test_a.py", "@pytest.mark.skip"),
)
ALLOWED = (
    ("tests/support/servers.py", "    time.sleep(1)"),
    ("app/providers/bmc/ipmi.py", 'import_module("pyghmi.ipmi")'),
    ("app/api/views.py", '@blueprint.get("/v1/work/home/")'),
)
# What ruff forbids everywhere but in one place (pyproject.toml): file, code, whether it is refused there.
BANNED = (
    ("app/api/views.py", 'import os\n\nPORT = os.environ["PORT"]\n', True),
    ("app/config.py", 'import os\n\nPORT = os.environ["PORT"]\n', False),
    ("tasks/server.py", "from celery import chain\n\nchain()\n", True),
    ("app/engine/messages/publisher.py", "import celery.canvas\n\ncelery.canvas.chain()\n", True),
    ("chains/canvas.py", "from celery.canvas import chain\n\nchain()\n", False),
)


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("rules", str(ROOT / "scripts" / "rules"))
    spec = importlib.util.spec_from_loader("rules", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def plant(root: Path, name: str, line: str) -> None:
    """Write a file with one line."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(line + "\n")


@pytest.mark.parametrize(("name", "line"), PLANTED)
def test_a_planted_breach_is_found(rules: ModuleType, tmp_path: Path, name: str, line: str) -> None:
    plant(tmp_path, name, line)
    assert len(list(rules.breaches([name], tmp_path))) == 1


@pytest.mark.parametrize(("name", "line"), ALLOWED)
def test_what_is_allowed_passes(rules: ModuleType, tmp_path: Path, name: str, line: str) -> None:
    plant(tmp_path, name, line)
    assert list(rules.breaches([name], tmp_path)) == []


@pytest.mark.parametrize(("name", "code", "refused"), BANNED)
def test_what_belongs_to_one_place_is_refused_in_others(name: str, code: str, refused: bool) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    arguments = [str(ruff), "check", "--select", "TID251", "--stdin-filename", name, "-"]
    found = subprocess.run(arguments, input=code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ("TID251" in found.stdout, found.returncode) == (refused, int(refused))
