"""The house rules catch what they forbid."""

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

PLANTED = (
    ("tests/test_a.py", "    time.sleep(1)"),
    ("tests/test_a.py", "from time import sleep"),
    ("README.rst", "cd /home/somebody/windlass"),
    ("app/api/views.py", 'os.environ["PORT"]'),
    ("tasks/server.py", "from celery import chain"),
    ("app/engine/messages/publisher.py", "import celery.canvas"),
    ("app/engine/messages/publisher.py", "    import pyghmi.ipmi.command"),
    ("tests/test_a.py", "@pytest.mark.skip"),
)
ALLOWED = (
    ("tests/support/servers.py", "    time.sleep(1)"),
    ("app/config.py", 'os.environ["PORT"]'),
    ("chains/canvas.py", "from celery.canvas import chain"),
    ("app/providers/bmc/ipmi.py", 'import_module("pyghmi.ipmi")'),
    ("app/api/views.py", '@blueprint.get("/v1/work/home/")'),
)


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("rules", str(Path(__file__).parents[2] / "scripts" / "rules"))
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
