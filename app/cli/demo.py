"""The demo: three machines of the lab, one life each, through the public client.

1. Over IPMI: registered, inspected, provisioned (the installer calls back), switched off.
2. Over Redfish: the installer fails in the middle, and every step that was done is undone.
3. Over IPMI: the controller refuses power, the run is held, the fault is mended, and a retry goes on from the
   failed step.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from rich.console import Console

from app.cli.demolab import Lab, Machine
from app.cli.failure import explain, of_run
from app.cli.follow import follow
from app.cli.output import printable
from app.config import load
from app.domain.errors import WindlassError as ServiceError
from windlass import Accepted, Client, Run, Server, WindlassError

IMAGE = {"url": "http://images.example/debian-12.qcow2", "format": "qcow2"}
PATIENCE_S = 180.0  # For one run; the longest here takes about twenty seconds.
MENDED = {"faults": {}, "installer": {"mode": "callback", "status": "ok"}}


class Unexpected(ServiceError):
    """A run of the demo ended in another way than it should."""

    code = "DEMO_FAILED"


@dataclass
class Stage:
    """Where the demo plays: the service, the lab, and what was shown so far."""

    client: Client
    lab: Lab
    console: Console
    stamp: str  # Makes the names of this performance its own.
    shown: list[tuple[str, str]] = field(default_factory=list)  # What it was, and the id of its run.

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


def run_demo(url: str, lab_control_url: str, password: str | None = None, api_key: str | None = None) -> int:
    """Perform all acts against the service and the lab; 0 when everything ended as it should, else 1.

    `password` opens the lab's controllers, that of `windlass up` unless given. May be repeated on the same
    state.
    """
    console = Console(width=None if sys.stdout.isatty() else 120)
    with Client(url, api_key) as client, Lab(lab_control_url, password) as lab:
        stage = Stage(client=client, lab=lab, console=console, stamp=time.strftime("%H%M%S"))
        try:
            for act, machine in zip(ACTS, lab.machines(len(ACTS)), strict=True):
                act(stage, machine)
        except (WindlassError, ServiceError) as error:
            console.print(explain(error), style="red", markup=False, highlight=False, soft_wrap=True)
            return 1
        except httpx.HTTPError as error:
            console.print(f"Error: the lab at {lab_control_url} does not answer: {error}", soft_wrap=True)
            return 1
        _where_to_look(stage, url)
    return 0


def all_goes_well(stage: Stage, machine: Machine) -> None:
    """Register, inspect, provision, power off."""
    stage.headline(f"1. {machine.id} over IPMI: from the rack to running, and off")
    server = _new_server(stage, machine, "ipmi")
    stage.see("provision", _started(stage.client.servers.provision(server, IMAGE)))
    stage.say(f"The lab says that {stage.lab.machine(machine.id).installed} is installed.")
    stage.see("power off", _started(stage.client.servers.power(server, on=False)))


def failure_is_undone(stage: Stage, machine: Machine) -> None:
    """The installer fails; what was done before is undone, the last first."""
    stage.headline(f"2. {machine.id} over Redfish: a failure in the middle is undone, step by step")
    server = _new_server(stage, machine, "redfish")
    stage.lab.change(machine.id, {"installer": {"status": "failed"}})
    stage.say("In the lab, the installer of this machine is now broken.")
    accepted = stage.client.servers.provision(server, IMAGE, on_failure="compensate")
    run = stage.see("provision", _started(accepted), expected="failed")
    stage.lab.change(machine.id, MENDED)
    _tell_failure(stage, run)
    for step in run.compensation:
        stage.say(f"  undone  {step.undoes or step.name}: {step.status}")
    if not run.compensation:
        raise Unexpected("Nothing was undone.")
    stage.say(f"The server is in state {stage.client.servers.get(server).state}.")


def held_mended_retried(stage: Stage, machine: Machine) -> None:
    """The controller refuses; the run waits for an operator; the retry starts at the failed step."""
    stage.headline(f"3. {machine.id} over IPMI: held, mended, retried from the failed step")
    server = _new_server(stage, machine, "ipmi")
    stage.lab.change(machine.id, {"faults": {"refuse": True}})
    stage.say("In the lab, the controller of this machine now refuses every power command.")
    accepted = stage.client.servers.provision(server, IMAGE, on_failure="hold")
    held = stage.see("provision", _started(accepted), expected="held")
    _tell_failure(stage, held)
    stage.say("The run keeps what it has. The controller is mended now.")
    stage.lab.change(machine.id, MENDED)
    step = held.error.step if held.error else None
    retry = stage.client.runs.retry(held.id, from_step=step, reason="the controller was mended")
    stage.see(f"retry from {step}", retry.id)
    kept = [each.name for each in stage.client.runs.get(retry.id).steps if each.status == "skipped"]
    stage.say(f"Not repeated: {', '.join(kept)}.")


Act = Callable[[Stage, Machine], None]
ACTS: tuple[Act, ...] = (all_goes_well, failure_is_undone, held_mended_retried)


def _new_server(stage: Stage, machine: Machine, protocol: str) -> str:
    """Register and inspect a machine anew, whatever an earlier performance left behind."""
    stage.lab.change(machine.id, MENDED)
    for each in stage.client.servers.each(q=machine.port):
        if each.bmc_address == machine.address:
            _retire(stage, each)
    accepted = stage.client.servers.register(
        protocol=protocol,
        bmc_address=machine.address,
        username=stage.lab.username,
        password=stage.lab.password,
        display_name=f"{machine.id}-{stage.stamp}",
        tags=["demo"],
    )
    stage.see("register", _started(accepted))
    stage.see("inspect", _started(stage.client.servers.inspect(accepted.resource.id)))
    return accepted.resource.id


def _retire(stage: Stage, server: Server) -> None:
    """Take a machine of an earlier performance out of the inventory; its open runs are given up first."""
    stage.say(f"{server.display_name} is known from before: it is retired first.")
    for run in stage.client.runs.list(resource_id=server.id, limit=100):
        if not run.ended:
            _give_up(stage.client, run)
    server = stage.client.servers.get(server.id)
    if "decommission" not in server.allowed_actions:
        stage.see("deprovision", _started(stage.client.servers.deprovision(server.id)))
    stage.see("decommission", _started(stage.client.servers.decommission(server.id, force=True)))


def _give_up(client: Client, run: Run) -> None:
    if run.needs_operator:
        client.runs.compensate(run.id, reason="the demo begins anew")
    else:
        client.runs.cancel(run.id, reason="the demo begins anew")
    client.runs.wait(run.id, timeout_s=PATIENCE_S)


def _started(accepted: Accepted[Server]) -> str:
    return accepted.run_id


def _tell_failure(stage: Stage, run: Run) -> None:
    if run.error:
        stage.say(f"It failed at {run.error.step}: {run.error.message} [{run.error.code}]")


def _where_to_look(stage: Stage, url: str) -> None:
    last = stage.shown[-1][1]
    places: Mapping[str, str] = {
        "Start page": f"{url}/",
        "API docs": f"{url}/docs",
        "Runs": f"{url}/v1/workflows/runs",
        "Flower": f"http://127.0.0.1:{load().flower_port}/",
        "Command line": f"windlass run list; windlass run get {last}; windlass run events {last}",
        "": "windlass server list; windlass queue list; windlass doctor",
    }
    stage.headline("All three went as they should. Where to look:")
    for name, place in places.items():
        stage.console.print(f"  {name:<13} {place}", highlight=False, soft_wrap=True)
