"""What the garbage collector does in our programs; how long they take is no verdict."""

import subprocess
import sys

import pytest

PROGRAMS = ("app.cli", "app.host.celery_entry", "app.host.flower_entry HOST", "app.lab", "app.serving")
# What was registered first is called last.
STARTED = """
import atexit, gc, runpy, sys
atexit.register(lambda: print("threshold", gc.get_threshold()[0], "frozen", gc.get_freeze_count() > 10_000))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_collector_looks_seldom_and_not_at_what_is_loaded_when_a_program_ends(program: str) -> None:
    command = [sys.executable, "-P", "-c", STARTED, *program.split(), "--help"]

    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert told.splitlines()[-1] == "threshold 20000 frozen True"
