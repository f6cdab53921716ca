"""What programs load: nothing that they do not use; a worker, before it forks, what all its processes use."""

import os
import subprocess
import sys
from pathlib import Path

SELDOM = "flower tornado prompt_toolkit sushy requests pyghmi kubernetes flask alembic httpx"
# What a main does up to its first fork.
STARTED = f"""
import sys
from app.host import celery_entry
try:
    celery_entry.worker(["--help"])
except SystemExit:
    pass
from app.worker import celery_app
celery_app._POOL["queues"] = sys.argv[1:]
celery_app._settle()
print(*(name for name in {SELDOM.split()} if name in sys.modules))
"""


def loaded_for(queue: str, state: Path) -> list[str]:
    """Which of the packages that are seldom needed are there before the pool of a queue is forked."""
    command = [sys.executable, "-P", "-c", STARTED, queue]
    environ = {**os.environ, "WINDLASS_STATE_DIR": str(state)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout
    return told.splitlines()[-1].split()


def test_a_worker_loads_no_command_of_celery_and_no_client_that_it_does_not_use(state: Path) -> None:
    assert loaded_for("default", state) == []


def test_the_pool_for_controllers_shares_its_drivers(state: Path) -> None:
    assert loaded_for("bmc", state) == ["sushy", "requests"]


def test_a_worker_host_loads_nothing_that_moves_runs(state: Path) -> None:
    checked = "from app.cli import direct; from app.config import load; direct.check_installation(load())"
    looked = "import sys; print([one for one in ('celery', 'chains', 'alembic') if one in sys.modules])"
    environ = {**os.environ, "WINDLASS_STATE_DIR": str(state), "REDIS_URL": "redis://127.0.0.1:1/0"}
    command = [sys.executable, "-P", "-c", f"from app.host import worker; {checked}; {looked}"]

    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout

    assert told.strip() == "[]"


def test_the_api_loads_no_client_of_machines_and_nothing_that_changes_tables() -> None:
    looked = f"import sys; print([one for one in {SELDOM.split()} if one != 'flask' and one in sys.modules])"
    command = [sys.executable, "-P", "-c", f"import app.api.application, app.api.apps.application; {looked}"]

    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert told.strip() == "[]"
