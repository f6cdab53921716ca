"""The time limit of a body: what comes out of it when it rings."""

import subprocess
import sys
import threading

import pytest

from app.domain.errors import StepTimedOut
from app.worker.time_limit import TimeLimit


def wait_under_a_lock_that_is_let_go_twice() -> None:
    """As `threading.Condition.wait` does when a signal raises before it has its lock back."""
    lock = threading.Lock()
    with lock:
        try:
            threading.Event().wait(10)
        finally:
            lock.release()


def test_an_alarm_that_breaks_the_release_of_a_lock_is_still_a_step_that_ran_out_of_time() -> None:
    with pytest.raises(StepTimedOut, match="wait ran longer than 10 ms"), TimeLimit(10, "wait"):
        wait_under_a_lock_that_is_let_go_twice()


def test_what_a_body_makes_of_its_alarm_is_its_own_word() -> None:
    with pytest.raises(LookupError, match="mine"), TimeLimit(10, "wait"):
        try:
            threading.Event().wait(10)
        except StepTimedOut:
            raise LookupError("mine") from None


def test_a_body_in_time_that_raises_is_heard_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="mine"), TimeLimit(10_000, "wait"):
        raise RuntimeError("mine")


@pytest.mark.parametrize("body", ["os.fork()", "os.fork() or sys.exit(3)", "os.fork() or 1 / 0"])
def test_what_a_body_has_forked_never_comes_back_as_the_worker(body: str) -> None:
    script = f"""
import os, sys
from app.worker.time_limit import TimeLimit
with TimeLimit(10_000, "forks"):
    {body}
os.write(1, b"here ")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == (b"here ", 0), done.stderr
