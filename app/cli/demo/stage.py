"""Where the demo plays: the service, the lab, what was shown so far, and how runs are followed."""

import sys
from dataclasses import dataclass, field

from rich.console import Console

from app.cli.cells import printable
from app.cli.demo.lab import Lab
from app.cli.failure import of_run
from app.cli.follow import follow
from app.domain.errors import WindlassError as ServiceError
from windlass import Client, Run

IMAGE = {"url": "http://images.example/debian-12.qcow2", "format": "qcow2"}
PATIENCE_S = 180.0  # For one run; the longest here takes about twenty seconds.
TAG = "demo"
CALLS_FOR_A_PERSON = ("run.held", "run.blocked", "run.needs_operator")


class Unexpected(ServiceError):
    """A run of the demo ended in another way than it should."""

    code = "DEMO_FAILED"


@dataclass
class Stage:
    """One performance."""

    client: Client
    lab: Lab
    console: Console
    stamp: str  # Makes the names of this performance its own.
    shown: list[tuple[str, str]] = field(default_factory=list)  # What it was, and the id of its run.
    servers: dict[str, str] = field(default_factory=dict)  # The ids of the servers, by the lab's machine.

    def headline(self, text: str) -> None:
        """Begin an act."""
        self.console.rule(f"[bold]{text}", align="left")

    def say(self, text: str) -> None:
        """One line of the narration."""
        self.console.print(printable(text), highlight=False, markup=False)

    def see(self, what: str, run_id: str, expected: str = "completed") -> Run:
        """Follow a run until nothing moves; raises `Unexpected` unless it ends as expected."""
        self.shown.append((what, run_id))
        if not sys.stderr.isatty():
            self.say(f"-- {what}: run {run_id}")
        run = follow(self.client, run_id, timeout_s=PATIENCE_S, title=what)
        ended = "held" if run.needs_operator else run.status
        if ended != expected:
            raise Unexpected(f"{what} should have ended {expected}.\n{of_run(run)}")
        return run

    def tell_failure(self, run: Run) -> None:
        """Why a run failed."""
        if run.error:
            self.say(f"It failed at {run.error.step}: {run.error.message} [{run.error.code}]")

    def tell_operator(self, run: Run) -> None:
        """What a person is told of a run that waits for one; raises `Unexpected` when that is nothing."""
        if run.waiting_on is None or not run.waiting_on.text:
            raise Unexpected(f"Run {run.id} does not say what it waits for.")
        self.say(f"The operator is told: {run.waiting_on.text}")
        calls = [one.type for one in self.client.runs.events(run.id) if one.type in CALLS_FOR_A_PERSON]
        self.say(f"Webhooks that subscribe to it are sent {', '.join(dict.fromkeys(calls))}.")

    def tell_undone(self, run: Run) -> None:
        """What a run that failed has undone; raises `Unexpected` when that is nothing."""
        for step in run.compensation:
            name = step.undoes or step.name
            done = step.status == "completed"
            self.say(f"  undone  {name}" if done else f"  not undone  {name} ({step.status})")
        if not run.compensation:
            raise Unexpected("Nothing was undone.")

    def give_up(self, resource_id: str) -> None:
        """End the runs that an earlier performance left open on a resource."""
        for run in self.client.runs.list(resource_id=resource_id, limit=100):
            if run.ended:
                continue
            if run.needs_operator:
                self.client.runs.compensate(run.id, reason="the demo begins anew")
            else:
                self.client.runs.cancel(run.id, reason="the demo begins anew")
            self.client.runs.wait(run.id, timeout_s=PATIENCE_S)
