"""Windlass in the folder of another project: nothing there is taken for a part of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings, environment
from app.host import programs

OURS = ("app", "chains", "migrations", "tasks", "windlass")
SETTINGS = Settings()
PROGRAMS = {
    "windlass": (*programs.windlass(), "--help"),
    "db": (*programs.windlass(), "db", "upgrade"),
    "api": (*programs.api(SETTINGS)[:4], "--help"),
    "worker": (*programs.celery(), "-A", "tasks", "report"),
    "flower": (*programs.celery(), "-A", "tasks", "flower", "--help"),
    "lab": (*programs.lab(SETTINGS, "secret")[:4], "--help"),
    "console script": (str(Path(sys.executable).with_name("windlass")), "db", "upgrade"),
}


@pytest.fixture(params=["{}.py", "{}/__init__.py", "{}/env.py"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose modules have our names."""
    for name in OURS:
        there = tmp_path / "project" / request.param.format(name)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(f"raise AssertionError('{name} of another project is imported')")
    return tmp_path / "project"


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_imports_from_where_it_is_started(foreign: Path, tmp_path: Path, name: str) -> None:
    environ = {**environment(Settings(state_dir=str(tmp_path / "state")))}
    environ.pop("PYTHONPATH", None)
    done = subprocess.run(
        PROGRAMS[name], cwd=foreign, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "another project" in done.stderr) == (0, False), done.stderr


def test_what_windlass_makes_is_its_owners_alone(tmp_path: Path) -> None:
    environ = environment(Settings(state_dir=str(tmp_path / "state")))
    subprocess.run(PROGRAMS["db"], env=environ, check=True, umask=0o022)
    assert os.stat(tmp_path / "state" / "windlass.db").st_mode & 0o077 == 0
