"""A process that is put together knows the steps of every run that it may have to move."""

import subprocess
import sys

import pytest

NAMES = "from tasks.step import REGISTRY; print(*REGISTRY)"
SOME = {"allocation.allocate_resources", "cluster.validate", "code.step", "code.call"}


@pytest.mark.parametrize("role", ["api", "worker", "reconciler", "projector"])
def test_every_process_knows_the_steps_before_it_is_asked_to_start_a_run(role: str) -> None:
    put_together = f"from app.wiring import wire; wire(role={role!r}); {NAMES}"
    done = subprocess.run([sys.executable, "-c", put_together], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) >= SOME
