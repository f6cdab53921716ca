"""Those who use the site of apps: clients that start runs and wait for them, who answers hooks, a rival."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random
from typing import Any

from tests.chaos.apps.program import ENDED, PLANS, VERSION, AppsApi, Program, Refused
from tests.chaos.apps.site import RIVAL

ASK_S, LOOK_S = 0.3, 0.25
RACERS = 12
MOST_S = 240.0  # A client goes home when its run has not ended by then.
# What many post to one run at the same moment, in order: each is written once.
RACES: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("run_started", None, {}),
    ("step_created", "step_a", {"stepName": "s"}),
    ("step_started", "step_b", {"stepName": "s", "input": 1}),
    ("step_completed", "step_b", {"result": 1}),
    ("hook_created", "hook_a", {"token": "{run}"}),
    ("hook_created", "hook_b", {"token": "{run}"}),  # Is held by the other: one conflict.
    ("wait_created", "wait_a", {"resumeAt": "2099-01-01T00:00:00.000Z"}),
    ("wait_completed", "wait_a", {}),
    ("attr_set", "attr_a", {"changes": [{"key": "a", "value": "1"}], "writer": {"type": "workflow"}}),
)
ENDS = ("run_completed", "run_failed", "run_cancelled")
FOREIGN = ("run_started", "step_completed", "hook_received", "wait_completed", "attr_set", *ENDS)


class Users:
    """Everybody, in threads; `submit` lets clients begin, `enough` lets none begin any more."""

    def __init__(self, url: str, program: Program, seed: int) -> None:
        self.program, self.api = program, program.api
        self.started: dict[str, str] = {}  # Runs that were accepted, and their workflows.
        self.raced: list[str] = []
        self.leaks: list[str] = []
        self._rival = AppsApi(url, RIVAL)
        self._rng = Random(f"{seed}/apps")
        self._numbers = count(1)
        self._enough, self._done = threading.Event(), threading.Event()
        self._clients: list[threading.Thread] = []
        for work in (self._resume, self._intrude):
            threading.Thread(target=work, daemon=True).start()

    def submit(self, clients: int, runs: int = 1_000_000) -> None:
        """Let so many clients start runs, one after the other, each at most so many."""
        self._enough.clear()
        for _ in range(clients):
            thread = threading.Thread(target=self._use, args=(runs,), daemon=True)
            thread.start()
            self._clients.append(thread)

    def enough(self) -> None:
        """No client starts anything more; those that wait go on waiting."""
        self._enough.set()

    def wait(self) -> None:
        """Until every client has gone home."""
        for thread in self._clients:
            thread.join()

    def close(self) -> None:
        """Everybody goes home."""
        self._enough.set()
        self._done.set()

    def race(self) -> str | None:
        """Let many post the same to one run at the same moment, event by event; the run."""
        run_id = f"wrun_race{uuid.uuid4().hex}"
        if not self._patiently(partial(self._create, run_id, "race")):
            return None
        self.raced.append(run_id)
        for kind, name, data in RACES:
            given = {key: run_id if value == "{run}" else value for key, value in data.items()}
            post = partial(self.api.event, run_id, kind, name, **given)
            self._at_once([post] * RACERS)
            self._patiently(post)
        ends = [partial(self.api.event, run_id, kind) for kind in ENDS]
        self._at_once(ends * (RACERS // len(ENDS)))
        self._patiently(ends[0])
        return run_id

    def _create(self, run_id: str, workflow: str) -> Any:
        data = {"workflowName": workflow, "deploymentId": VERSION}
        return self.api.event(run_id, "run_created", **data)

    def _use(self, runs: int) -> None:
        for _ in range(runs):
            if self._enough.is_set():
                return
            number = next(self._numbers)
            workflow = list(PLANS)[number % len(PLANS)]
            run_id = f"wrun_{number:05d}{uuid.uuid4().hex[:12]}"
            if not self._patiently(partial(self._create, run_id, workflow)):
                return
            self.started[run_id] = workflow
            self._send(run_id, workflow, {"runId": run_id}, f"start:{run_id}")
            self._ends(run_id)

    def _ends(self, run_id: str) -> None:
        give_up = time.monotonic() + MOST_S
        while time.monotonic() < give_up:
            with suppress(Refused):
                if self.api.ask("GET", f"/runs/{run_id}?resolveData=none")["status"] in ENDED:
                    return
            self._done.wait(LOOK_S)

    def _send(self, run_id: str, workflow: str, message: dict[str, Any], key: str) -> None:
        self._patiently(partial(self.api.enqueue, workflow, message, key))

    def _resume(self) -> None:
        """Answer hooks as soon as they are there."""
        received: set[str] = set()
        while not self._done.wait(0.02):
            while self.program.open_hooks:
                run_id, name, token = self.program.open_hooks.popleft()
                if name in received:
                    continue
                received.add(name)
                self._patiently(partial(self.api.ask, "GET", f"/hooks/by-token/{token}"))
                self._patiently(partial(self.api.event, run_id, "hook_received", name, payload=1))
                self._send(run_id, self.started[run_id], {"runId": run_id}, f"resume:{name}")

    def _intrude(self) -> None:
        """Ask for runs of the other application, and post to them: there are none."""
        while not self._done.wait(0.1):
            for run_id in list(self.started)[-3:]:
                data = {
                    "token": run_id,
                    "changes": [{"key": "a", "value": "x"}],
                    "writer": {"type": "workflow"},
                }
                kind = self._rng.choice(FOREIGN)
                for ask in (
                    partial(self._rival.event, run_id, kind, f"step_{run_id}_0", **data),
                    partial(self._rival.ask, "GET", f"/runs/{run_id}"),
                ):
                    with suppress(Refused):
                        self.leaks.append(f"{run_id}: {kind} of another application: {ask()}")

    def _at_once(self, asks: Sequence[Callable[[], Any]]) -> None:
        gate = threading.Barrier(len(asks))

        def ask(one: Callable[[], Any]) -> None:
            gate.wait()
            with suppress(Refused):  # A conflict, or the apps API was away.
                one()

        threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _patiently(self, ask: Callable[[], Any]) -> bool:
        """Ask until it is answered; what the apps API refuses for good counts as an answer."""
        while not self._done.is_set():
            try:
                ask()
            except Refused as refused:
                if refused.args[0] in (400, 404, 409):
                    return True
                self._done.wait(ASK_S)
            else:
                return True
        return False
