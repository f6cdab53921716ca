"""`windlass worker --import`: a real host with the modules of an author, which is killed like the others."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from app.auth.keys import LOCAL
from app.config import Settings, environment
from app.domain.json import JsonObject
from app.record import listing
from app.record.runs import runs
from app.services import presence, workflows
from app.services.context import AppContext
from app.services.workflows import CodeOrder
from app.wiring import wire
from tests.support.servers import KeyValue, is_alive, until

FLOWS = '''
import os
from pathlib import Path
from windlass import Worker, workflow

@workflow("greet")
def greet(ctx, name):
    """Greet somebody."""
    words = ctx.step("words", lambda: f"hello {name}")
    return {"words": words, "answer": ctx.wait_for_signal("go"), "pid": ctx.step("pid", os.getpid)}

@workflow("other")
def other(ctx):
    return None

if __name__ == "__main__":
    Worker(processes=1).start("greet")
'''
START_S = 60.0


@pytest.fixture(scope="module")
def settings(
    databases: Callable[[str], Any], valkey_server: KeyValue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with an empty database and an empty Valkey."""
    valkey_server.restart_empty()
    url = databases("sqlite").fresh()
    folder = tmp_path_factory.mktemp("state")
    yield Settings(state_dir=str(folder), database_url=url, redis_url=valkey_server.url, reconcile_ms=200)
    databases("sqlite").drop(url)


@pytest.fixture(scope="module")
def world(settings: Settings) -> Iterator[AppContext]:
    """The world of whoever triggers."""
    made = wire(settings, role="cli")
    yield made
    made.db.dispose()


@pytest.fixture(scope="module")
def host(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    """A host that the author's own program has become, for one of its workflows."""
    folder = tmp_path_factory.mktemp("author")
    (folder / "my_flows.py").write_text(FLOWS)
    # Nobody but the author means these, though the host is started beside them.
    for name in ("redis", "celery", "sqlalchemy", "app", "tasks", "chains", "migrations"):
        (folder / f"{name}.py").write_text("raise AssertionError")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "my_flows.py"], cwd=folder, env=environment(settings), stdout=log, stderr=log
        )
    yield psutil.Process(process.pid)
    for _ in "ab":  # A second signal ends the patience.
        process.terminate()
    process.wait(300)


def triggered(world: AppContext, name: str = "greet", **more: Any) -> str:
    """A run."""
    row, _ = workflows.trigger(world, LOCAL, CodeOrder(workflow=name, **more))
    return str(row["id"])


def ended(world: AppContext, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""

    def look() -> dict[str, Any] | None:
        row = world.db.read(lambda tx: runs.read_run(tx, run_id))
        return cast("JsonObject", row) if row and row["completed_at"] else None

    return until(look, START_S, f"{run_id} ends") or {}


@pytest.fixture
def served(host: psutil.Process, world: AppContext) -> None:
    """The host serves what it was asked to, and says so."""
    until(lambda: ("greet", "1") in world.db.read(presence.served) or not is_alive(host.pid), START_S)
    assert is_alive(host.pid)


def test_a_program_that_has_become_a_host_runs_its_own_workflow(served: None, world: AppContext) -> None:
    run_id = triggered(world, args=["ada"])
    workflows.signal(world, LOCAL, run_id, "go", {"ok": True})
    done = ended(world, run_id)["output"]["value"]
    assert (done["words"], done["answer"]) == ("hello ada", {"ok": True})


def test_it_serves_the_one_workflow_that_it_was_told_to(
    served: None, host: psutil.Process, world: AppContext
) -> None:
    assert world.db.read(presence.served) == {("greet", "1")}
    (main,) = [each for each in host.children() if "-Q" in each.cmdline()]
    assert main.cmdline()[main.cmdline().index("-Q") + 1] == "wf.greet"


def test_a_reconciler_works_beside_it(served: None, world: AppContext) -> None:
    until(lambda: world.db.read(lambda tx: listing.newest_beat(tx, "reconciler")), START_S)


def test_a_killed_pool_process_is_replaced_by_one_that_knows_the_workflow(
    served: None, world: AppContext
) -> None:
    first = triggered(world, args=["ada"])
    workflows.signal(world, LOCAL, first, "go", None)
    pid = ended(world, first)["output"]["value"]["pid"]
    psutil.Process(pid).send_signal(signal.SIGKILL)
    again = triggered(world, args=["eve"])
    workflows.signal(world, LOCAL, again, "go", None)
    assert ended(world, again)["output"]["value"]["pid"] != pid


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--import", "absent"], "absent cannot be imported"),
        (["--import", "my_flows", "--workflow", "third"], "No workflow 'third'"),
        (["--import", "my_flows", "--app-dir", "nowhere"], "There is no folder"),
    ],
)
def test_a_host_that_cannot_start_says_why_in_one_line(
    settings: Settings, tmp_path: Path, words: list[str], sentence: str
) -> None:
    (tmp_path / "my_flows.py").write_text(FLOWS)
    command = [sys.executable, "-P", "-m", "app.cli", "worker", *words]
    environ = environment(replace(settings, state_dir=str(tmp_path)))
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_module_with_our_name_is_refused_in_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("raise AssertionError")
    command = [sys.executable, "-P", "-m", "app.cli", "worker", "--import", "tasks"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(settings), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "tasks has the name of a module of Windlass" in done.stderr) == (2, True)
