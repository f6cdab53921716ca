"""Absurd: a task of five checkpointed steps; its state machine lives in PostgreSQL."""

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from absurd_sdk import Absurd, TaskContext

from tests.bench import body
from tests.bench.peers.driver import serve

STEPS = 5


def app() -> Absurd:
    """A client with a connection of its own, which knows the task."""
    made = Absurd(os.environ["BENCH_DATABASE"], queue_name="bench")
    made.register_task("line")(line)
    return made


def line(given: Any, ctx: TaskContext) -> None:
    """Five steps in a row."""
    for place in range(1, STEPS + 1):
        ctx.step(f"step{place}", partial(body.work, str(ctx.task_id), place, given["ms"]))


class Spawns:
    """Spawns tasks, over one connection a thread."""

    def __init__(self) -> None:
        self._own = threading.local()

    def trigger(self, ms: int) -> None:
        """Spawn a line."""
        if not hasattr(self._own, "app"):
            self._own.app = app()
        self._own.app.spawn("line", {"ms": ms})

    def fan(self, count: int) -> None:
        """Not measured."""
        raise NotImplementedError(count)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        subprocess.run([Path(sys.executable).with_name("absurdctl"), "init"], check=True)
        app().create_queue()
    elif sys.argv[1] == "driver":
        serve(Spawns())
    else:
        app().start_worker(claim_timeout=10)
