"""A process dies at a named point, and what is stored is what that point promises."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import text

from app.record.session import Database
from tests.chaos.ledger import LEDGER, VARIABLE
from tests.chaos.points import arms, inside, struck
from tests.chaos.points.arms import Arm, Control
from tests.chaos.site import Site
from tests.conftest import Backend
from tests.support.driver import Driver

ROOT = Path(__file__).parents[2]
START = "run_id = d.start('probe.line')"
PROGRAM = """
import sys
import tests.support.probes
from sqlalchemy import text

from app.record.session import Database
from tests.support.driver import Driver
d = Driver(Database(sys.argv[1]))
{}
"""
ALL = START + "\nd.finish(run_id)"
INSIDE = "tests.chaos.points.inside"
# Point, facts, and the status of the first two steps afterwards; None where the run does not exist.
KILLS = (
    ("accept.before-commit", "", None),
    ("accept.after-commit", "", ("pending", "pending")),
    ("claim.before-commit", "", ("pending", "pending")),
    ("claim.after-commit", "", ("running", "pending")),
    ("body.begin", "step=second", ("completed", "running")),
    ("body.end", "step=first", ("running", "pending")),
    ("settle.before-commit", "", ("running", "pending")),
    ("settle.after-commit", "", ("completed", "running")),
)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """The failpoints of the programs below."""
    return arms.of(tmp_path)


def run(url: str, folder: Path, what: str = ALL) -> subprocess.CompletedProcess[str]:
    """A process with failpoints that works on a database."""
    path = os.pathsep.join([str(ROOT / "tests/chaos/inside"), str(ROOT)])
    mine = {"PYTHONPATH": path, "CHAOS_INSIDE": INSIDE, VARIABLE: str(folder / LEDGER)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(what), url],
        env={**os.environ, **mine},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def statuses(url: str) -> tuple[str, str] | None:
    """How far the only run came."""
    db = Database(url)
    found = db.read(lambda tx: tx.row(text("SELECT id FROM run")))
    steps = Driver(db).steps(found["id"]) if found else None
    db.dispose()
    return None if steps is None else (steps["first"]["status"], steps["second"]["status"])


@pytest.mark.parametrize(("point", "where", "left"), KILLS)
def test_a_process_dies_at_its_point(
    backend: Backend, tmp_path: Path, control: Control, point: str, where: str, left: tuple[str, str] | None
) -> None:
    control.arm(Arm(point=point, action="kill", where=where))
    ended = run(backend.database_url, tmp_path)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert [hit.point for hit in control.hits()] == [point]
    assert statuses(backend.database_url) == left


def test_nothing_happens_that_is_not_armed(sqlite_url: str, tmp_path: Path, control: Control) -> None:
    control.disarm(control.arm(Arm(point="claim.after-commit", action="kill")))
    assert run(sqlite_url, tmp_path).returncode == 0
    assert statuses(sqlite_url) == ("completed", "completed")
    assert control.hits() == []


def test_an_arm_acts_as_often_as_it_is_set_to(sqlite_url: str, tmp_path: Path, control: Control) -> None:
    control.arm(Arm(point="claim.before-commit", action="kill", times=2))
    assert [run(sqlite_url, tmp_path).returncode for _ in range(3)] == [-9, -9, 0]


def test_a_frozen_process_goes_on_by_itself(sqlite_url: str, tmp_path: Path, control: Control) -> None:
    control.arm(Arm(point="body.begin", action="freeze", seconds=0.5))
    assert run(sqlite_url, tmp_path).returncode == 0
    assert [hit.action for hit in control.hits()] == ["freeze"]


def test_a_schedule_that_no_process_died_of_is_paused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(struck, "HIT_S", 0.0)
    site = cast(Site, SimpleNamespace(folder=tmp_path, db=Database(sqlite_url)))

    hit = struck.ReconcilerKilledFiring().strike(site, Random(1))

    (planted,) = site.db.read(lambda tx: tx.rows(text("SELECT paused_at FROM schedule")))
    assert (hit, planted["paused_at"] is None) == (None, False)
    site.db.dispose()


@pytest.mark.parametrize("point", ["sql.statement", "sql.commit"])
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_a_conflict_is_injected_and_survived(
    backend: Backend, tmp_path: Path, control: Control, point: str, state: str
) -> None:
    control.arm(Arm(point=point, action=state, times=2))
    ended = run(backend.database_url, tmp_path)
    assert ended.returncode == 0, ended.stderr
    # A plain run on PostgreSQL is single statements: there is no COMMIT that could be refused.
    alone = point == "sql.commit" and backend.database_url.startswith("postgresql")
    assert len(control.hits()) == (0 if alone else 2)
    assert statuses(backend.database_url) == ("completed", "completed")


@pytest.mark.parametrize("module", sorted(inside.TRANSITIONS))
def test_every_transition_that_is_watched_exists(module: str) -> None:
    found = importlib.import_module(module)
    assert all(callable(getattr(found, name, None)) for name in inside.TRANSITIONS[module])


@pytest.mark.parametrize(("module", "owner", "function"), [one[:3] for one in inside.AROUND])
def test_every_call_that_is_watched_exists(module: str, owner: str, function: str) -> None:
    found = importlib.import_module(module)
    assert callable(getattr(getattr(found, owner) if owner else found, function, None))
