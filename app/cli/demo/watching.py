"""The act about what nobody told us: somebody else switches a machine, and it is seen."""

from app.cli.demo.stage import Stage

EVERY_MS = 1_000  # How often each controller is asked here.


def somebody_else(stage: Stage, management: str) -> None:
    """A machine is switched behind our back; virtual machines are compared with the record."""
    stage.headline("7. What somebody else does is seen and told")
    client = stage.client
    machine_id, server_id = next(iter(stage.servers.items()))
    wanted = "off" if client.servers.get(server_id).power == "on" else "on"
    stage.lab.change(machine_id, {"power": wanted})
    stage.say(f"Somebody switches {machine_id} {wanted}, and tells nobody.")
    polled = client.runs.start("sync.server-state", {"everyMs": EVERY_MS})
    stage.see("ask all controllers until something has changed", polled.id)
    stage.say(f"The machine is {client.servers.get(server_id).power}.")
    compared = client.runs.start("sync.cluster-state", {"kind": "vm"}, resource_id=management)
    stage.see("compare the virtual machines with the record", compared.id)
