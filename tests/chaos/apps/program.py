"""An app as the Workflow DevKit makes one, in this process: it replays a run's log and does what is next.

Every delivery is one turn: start the run, read its log, go through its plan, do what the log does not have
yet, and post it. Whatever the apps API refuses, or does not answer, ends the turn with status 500, and the
message comes again. What bodies of steps did is kept here, for the judge.
"""

import json
import threading
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.chaos.apps.site import APP
from tests.support.handlers import Answer, Delivery, Handler, cuts, resets, says

VERSION = "v1"
ENDED = frozenset({"completed", "failed", "cancelled", "expired"})
EARLY_S = 0.005  # Clocks are read on both sides of a round trip.
# What a run does, by the name of its workflow: each word with a number.
PLANS: dict[str, tuple[tuple[str, float], ...]] = {
    "chain": (("step", 0.02),) * 4,
    "slow": (("step", 2.0), ("nap", 0.5), ("step", 2.0)),
    "fan": (("fan", 4), ("step", 0.02)),
    "nap": (("step", 0.02), ("nap", 1.5), ("step", 0.02)),
    "late": (("late", 1.2), ("step", 0.02)),
    "hook": (("hook", 0), ("step", 0.02)),
}
Body = dict[str, Any]
HANGS_S = 6.0


def hangs(*_: Any) -> Answer:
    """Say nothing for a while, and then that it went wrong."""
    threading.Event().wait(HANGS_S)
    return says(500)()


# How a handler misbehaves before it has done anything, or in its answer when it has done all.
BEFORE: Mapping[str, Callable[..., Answer | None]] = {
    "hangs": hangs,
    "resets": resets,
    "redirects": says(307, location="http://127.0.0.1:1/"),
    "is away": says(503),
}
AFTER: Mapping[str, Callable[..., Answer | None]] = {
    "answers 10 MB": says(200, b"{" + b" " * 10_000_000 + b"}"),
    "cuts": cuts,
    "lies": says(200, b'{"timeoutSeconds": -1e999, "again": "soon"}'),
    "says nothing": says(200, b""),
}


class Refused(Exception):
    """The apps API refused, or did not answer."""


@dataclass
class AppsApi:
    """What a client of the DevKit asks; it never asks twice."""

    url: str
    app: str = APP
    http: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            trust_env=False, timeout=20, limits=httpx.Limits(max_connections=200)
        )
    )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; raises `Refused` unless it is answered with success."""
        try:
            reply = self.http.request(method, f"{self.url}/api/v1/apps/{self.app}{path}", json=body)
        except httpx.HTTPError as error:
            raise Refused(str(error)) from error
        if reply.status_code >= 400:
            raise Refused(reply.status_code, reply.text)
        return reply.json()

    def event(self, run_id: str, kind: str, correlation: str | None = None, **data: Any) -> Any:
        """Post an event."""
        body = {"eventType": kind, "specVersion": 6, "correlationId": correlation, "eventData": data}
        return self.ask("POST", f"/runs/{run_id}/events", body)

    def log(self, run_id: str) -> set[tuple[str, str | None]]:
        """Type and correlation id of every event of a run."""
        found, cursor = set(), ""
        while True:
            page = self.ask("GET", f"/runs/{run_id}/events?limit=1000{cursor}")
            found |= {(one["eventType"], one.get("correlationId")) for one in page["data"]}
            if not page["hasMore"]:
                return found
            cursor = f"&cursor={page['cursor']}"

    def enqueue(self, workflow: str, message: Body, key: str, delay_s: float = 0) -> None:
        """Add a message; one that is there already is as good."""
        body = {
            "queueName": f"__wkf_workflow_{workflow}",
            "message": message,
            "deploymentId": VERSION,
            "idempotencyKey": key,
        }
        try:
            self.ask("POST", "/queue", {**body, "delaySeconds": delay_s} if delay_s else body)
        except Refused as refused:
            if refused.args[0] != 409:
                raise


@dataclass
class Program:
    """The app; ``mood`` is how its handler misbehaves just now."""

    api: AppsApi
    mood: str = ""
    effects: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    again: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # Message ids by run.
    early: list[str] = field(default_factory=list)
    open_hooks: deque[tuple[str, str, str]] = field(default_factory=deque)
    turns: Counter[str] = field(default_factory=Counter)  # By how they ended.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, handler: Handler, delivery: Delivery, request: Any) -> Answer | None:
        """One delivery."""
        mood = self.mood
        if mood in BEFORE:
            return BEFORE[mood](handler, delivery, request)
        sent = delivery.json
        try:
            reply = self._turn(sent["message"], sent["meta"]["messageId"])
        except Refused as refused:
            self.turns[f"refused {refused.args[0] if isinstance(refused.args[0], int) else 'nothing'}"] += 1
            return says(500)()
        self.turns["again" if reply else "done"] += 1
        if mood in AFTER and not reply:
            return AFTER[mood](handler, delivery, request)
        return 200, {"content-type": "application/json"}, json.dumps(reply).encode()

    def _turn(self, message: Body, message_id: str) -> Body:
        run_id, due = message["runId"], message.get("notBefore", 0.0)
        if time.time() < due - EARLY_S:
            self.early.append(f"{run_id}: a message came {due - time.time():.3f} s too early")
        if "waits" in message:
            self.api.event(run_id, "wait_completed", message["waits"])
        if "stepId" in message:
            self._step(run_id, message["stepId"], 0.02, self.api.log(run_id), lazy=False)
        run = self.api.event(run_id, "run_started")["run"]
        if run["status"] in ENDED:
            return {}
        log, workflow = self.api.log(run_id), run["workflowName"]
        for number, (word, value) in enumerate(PLANS[workflow]):
            name = f"{word}_{run_id}_{number}"
            reply: Body | None = getattr(self, f"_{word}")(run_id, name, value, log, workflow=workflow)
            if reply is not None:
                if reply:
                    self.again[run_id].add(message_id)
                return reply
        self.api.event(run_id, "run_completed", output="done")
        return {}

    def _step(
        self, run_id: str, name: str, value: float, log: Any, lazy: bool = True, **_: Any
    ) -> Body | None:
        if ("step_completed", name) in log:
            return None
        data = {"stepName": "step", **({"input": 1} if lazy else {})}
        self.api.event(run_id, "step_started", name, **data)
        threading.Event().wait(value)
        with self._lock:
            self.effects[name].append(result := uuid.uuid4().hex)
        self.api.event(run_id, "step_completed", name, result=result)
        return None

    def _fan(self, run_id: str, name: str, value: float, log: Any, *, workflow: str) -> Body | None:
        members = [f"{name}_{member}" for member in range(int(value))]
        if all(("step_completed", one) in log for one in members):
            return None
        for one in members:
            if ("step_created", one) not in log:
                self.api.event(run_id, "step_created", one, stepName="step")
                self.effects.setdefault(one, [])
            if ("step_completed", one) not in log:
                self.api.enqueue(workflow, {"runId": run_id, "stepId": one}, one)
        return {}

    def _nap(self, run_id: str, name: str, value: float, log: Any, **_: Any) -> Body | None:
        if ("wait_completed", name) in log:
            return None
        until = time.time() + value
        moment = datetime.fromtimestamp(until, UTC).isoformat(timespec="milliseconds")
        wait = self.api.event(run_id, "wait_created", name, resumeAt=moment)["wait"]
        left = datetime.fromisoformat(wait["resumeAt"]).timestamp() - time.time()
        if left > 0:
            return {"timeoutSeconds": left + 0.002}
        self.api.event(run_id, "wait_completed", name)
        return None

    def _late(self, run_id: str, name: str, value: float, log: Any, *, workflow: str) -> Body | None:
        if ("wait_completed", name) in log:
            return None
        if ("wait_created", name) not in log:
            self.api.event(run_id, "wait_created", name, resumeAt="2099-01-01T00:00:00.000Z")
        message = {"runId": run_id, "waits": name, "notBefore": time.time() + value}
        self.api.enqueue(workflow, message, name, value)
        return {}

    def _hook(self, run_id: str, name: str, _value: float, log: Any, **_: Any) -> Body | None:
        if ("hook_received", name) in log:
            return None
        token = f"token/{run_id}"
        self.api.event(run_id, "hook_created", name, token=token)
        self.open_hooks.append((run_id, name, token))
        return {}
