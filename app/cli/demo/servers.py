"""The first three acts: three machines of the lab, one life each.

1. Over IPMI: registered, inspected, provisioned (the installer calls back), switched off.
2. Over Redfish: the installer fails in the middle, and every step that was done is undone.
3. Over IPMI: the controller refuses power, the run is held, the fault is mended, and a retry goes on from the
   failed step.
"""

from collections.abc import Callable

from app.cli.demo.lab import Machine
from app.cli.demo.stage import IMAGE, TAG, Stage
from windlass import Server

MENDED = {"faults": {}, "installer": {"mode": "callback", "status": "ok"}}


def all_goes_well(stage: Stage, machine: Machine) -> None:
    """Register, inspect, provision, power off."""
    stage.headline(f"1. {machine.id} over IPMI: from the rack to running, and off")
    server = _new_server(stage, machine, "ipmi")
    stage.see("provision", stage.client.servers.provision(server, IMAGE).run_id)
    stage.say(f"The lab says that {stage.lab.machine(machine.id).installed} is installed.")
    stage.see("power off", stage.client.servers.power(server, on=False).run_id)


def failure_is_undone(stage: Stage, machine: Machine) -> None:
    """The installer fails; what was done before is undone, the last first."""
    stage.headline(f"2. {machine.id} over Redfish: a failure in the middle is undone, step by step")
    server = _new_server(stage, machine, "redfish")
    stage.lab.change(machine.id, {"installer": {"status": "failed"}})
    stage.say("In the lab, the installer of this machine is now broken.")
    accepted = stage.client.servers.provision(server, IMAGE, on_failure="compensate")
    run = stage.see("provision", accepted.run_id, expected="failed")
    stage.lab.change(machine.id, MENDED)
    stage.tell_failure(run)
    stage.tell_undone(run)
    stage.say(f"The server is in state {stage.client.servers.get(server).state}.")


def held_mended_retried(stage: Stage, machine: Machine) -> None:
    """The controller refuses; the run waits for an operator; the retry starts at the failed step."""
    stage.headline(f"3. {machine.id} over IPMI: held, mended, retried from the failed step")
    server = _new_server(stage, machine, "ipmi")
    stage.lab.change(machine.id, {"faults": {"refuse": True}})
    stage.say("In the lab, the controller of this machine now refuses every power command.")
    accepted = stage.client.servers.provision(server, IMAGE, on_failure="hold")
    held = stage.see("provision", accepted.run_id, expected="held")
    stage.tell_failure(held)
    stage.tell_operator(held)
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
        tags=[TAG],
    )
    stage.see("register", accepted.run_id)
    stage.see("inspect", stage.client.servers.inspect(accepted.resource.id).run_id)
    stage.servers[machine.id] = accepted.resource.id
    return accepted.resource.id


def _retire(stage: Stage, server: Server) -> None:
    """Take a machine of an earlier performance out of the inventory; its open runs are given up first."""
    stage.say(f"{server.display_name} is known from before: it is retired first.")
    stage.give_up(server.id)
    server = stage.client.servers.get(server.id)
    if "decommission" not in server.allowed_actions:
        stage.see("deprovision", stage.client.servers.deprovision(server.id).run_id)
    stage.see("decommission", stage.client.servers.decommission(server.id, force=True).run_id)
