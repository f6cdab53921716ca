"""A Celery application with the service's settings and task names, whose links do what their step is called.

What they do is written to a file of lines, since a broker that is emptied would forget it. The first word of
a step's key is what it does: ok, fail, drop, die, or wait (until a file of that name is there).
"""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Task

from app.config import load
from app.wiring import celery_app
from chains.canvas import ON_ERROR
from chains.messages import LinkMessage

FOLDER = Path(os.environ.get("CARRIER_FOLDER", "."))
WAIT_S = 300.0

app = celery_app(load(), worker=True)


class Told(Exception):
    """A step failed because it was told to."""


def note(what: str, **facts: Any) -> None:
    """Write down what happens, in one system call."""
    line = json.dumps({"what": what, "pid": os.getpid(), "parent": os.getppid(), **facts}) + "\n"
    handle = os.open(FOLDER / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)


def _fail(_task: "Task[Any, Any]") -> None:
    raise Told


def _drop(task: "Task[Any, Any]") -> None:
    task.request.chain = None


def _die(_task: "Task[Any, Any]") -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wait(task: "Task[Any, Any]") -> None:
    pause, tick = threading.Event(), 0.02
    _run, _phase, step, _gen = task.request.args or ()
    for _ in range(round(WAIT_S / tick)):
        if (FOLDER / str(step)).exists():
            return
        pause.wait(tick)


DOES: dict[str, Callable[["Task[Any, Any]"], None]] = {
    "ok": lambda _task: None,
    "fail": _fail,
    "drop": _drop,
    "die": _die,
    "wait": _wait,
}


@app.task(name=LinkMessage.TASK, bind=True, throws=(Told,))
def link(self: "Task[Any, Any]", run_id: str, phase: str, first: str, gen: int) -> None:
    """Do what the step is called."""
    note("link", run=run_id, step=first, id=self.request.id)
    DOES[first.split("-", maxsplit=1)[0]](self)


@app.task(name=ON_ERROR, bind=True)
def on_error(self: "Task[Any, Any]", task_id: str, run_id: str | None = None) -> None:
    """Note the call."""
    note("on_error", run=run_id, id=task_id, own=self.request.id)
