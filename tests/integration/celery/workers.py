"""A real Celery worker as the worker host starts it, and who publishes to it and listens to its events."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

import psutil
from celery import Celery
from celery.events import EventReceiver
from redis import Redis

from app.config import Settings, environment
from app.domain.plan import Segment
from app.host import programs
from app.wiring import celery_app
from chains import canvas
from tests.support.servers import KeyValue, until

START_S = 120.0
QUEUES = ("default", "bmc")
RUNS = count(1)
TYPE = "server.provision"
Event = dict[str, Any]


class Worker:
    """One worker main with its pool."""

    def __init__(
        self, settings: Settings, folder: Path, tasks: str, *, processes: int = 1, more: Sequence[str] = ()
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.settings, self.folder = settings, folder
        argv = programs.worker(settings, "contract", QUEUES, processes)
        self._argv = [tasks if word == "tasks" else word for word in argv] + list(more)
        self._log = folder / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns once it consumes."""
        environ = environment(self.settings, CARRIER_FOLDER=str(self.folder))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: " ready." in self.log or not self.lives, START_S, "the worker is ready")
        assert self.lives, self.log

    def stop(self) -> None:
        """End it and its pool, whatever they do."""
        if self._process is None:
            return
        family = [self.main, *self.main.children(recursive=True)] if self.lives else []
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(START_S)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def main(self) -> psutil.Process:
        """The main process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def lives(self) -> bool:
        """Whether the main process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it said."""
        return self._log.read_text()

    def notes(self, what: str, run: str | None = None) -> list[Event]:
        """What its tasks wrote down."""
        path = self.folder / "notes"
        lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
        return [one for one in lines if one["what"] == what and run in (None, one["run"])]

    def ran(self, run: str) -> list[str]:
        """The steps of a run that ran, in order."""
        return [one["step"] for one in self.notes("link", run)]

    def noted(self, what: str, run: str, times: int = 1) -> list[Event]:
        """The notes once there are so many."""
        return until(
            lambda: found if len(found := self.notes(what, run)) >= times else [], START_S, f"{what} {run}"
        )


class Publisher:
    """Publishes as the service does, with the settings of a publisher."""

    def __init__(self, settings: Settings) -> None:
        self.app: Celery = celery_app(settings, worker=False)

    def send(self, *steps: str, run: str = "", queue: str = "default") -> str:
        """A run of links that do as they are told, one each; returns its id."""
        run = run or f"run_{next(RUNS)}"
        line = [Segment(first=step, last=step, queue=queue, limit_ms=60_000) for step in steps]
        canvas.publish(self.app, lambda *_: "", run_id=run, type_=TYPE, phase="forward", gen=1, segments=line)
        return run


class Ears:
    """Hears every event of the workers."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def of(self, kind: str, task: str) -> list[Event]:
        """The events of one kind about one task."""
        return [one for one in list(self.heard) if one["type"] == kind and one.get("uuid") == task]

    def like(self, kind: str, begins: str) -> list[Event]:
        """The events of one kind about tasks whose ids begin like this."""
        told = (one for one in list(self.heard) if one["type"] == kind)
        return [one for one in told if str(one.get("uuid")).startswith(begins)]

    def ended(self, begins: str) -> list[Event]:
        """How tasks ended whose ids begin like this."""
        return self.like("task-failed", begins) or self.like("task-succeeded", begins)


@contextmanager
def listening(app: Celery) -> Iterator[Ears]:
    """Listen in a thread of its own until the end; begins with the heartbeat of a worker that is there."""
    ears = Ears()
    with app.connection_for_read() as connection:
        receiver = EventReceiver(connection, handlers={"*": ears.heard.append}, app=app)

        def listen() -> None:
            receiver.capture(limit=None, timeout=None, wakeup=False)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            until(lambda: ears.heard, why="the worker's heartbeat")
            yield ears
        finally:
            receiver.should_stop = True
            thread.join(10)


def lengths(store: KeyValue, prefix: str) -> dict[str, int]:
    """The lists of a store, each with its length."""
    with Redis.from_url(store.url, decode_responses=True) as client:
        keys = client.scan_iter(match=f"{prefix}*", _type="list")
        return {key: client.llen(key) for key in keys}


def said(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command of this installation says: `celery -A tasks …` or `windlass …`."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
