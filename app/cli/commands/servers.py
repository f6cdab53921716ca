"""`windlass server`: register machines and let runs work on them."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from app.cli import columns, imports, output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.triggers import options, show_plan, started, triggers, waits
from windlass import Accepted, Run, Server, WindlassError

credential = (
    click.option("--username", required=True, help="Login of the BMC."),
    click.option(
        "--password",
        envvar="WINDLASS_BMC_PASSWORD",
        prompt="Password of the BMC",
        prompt_required=True,
        hide_input=True,
        help="BMC password; prefer WINDLASS_BMC_PASSWORD or the prompt.",
    ),
)

PORTION = 500  # Machines in one request, the most that the API takes.


@click.group(cls=Noun)
def server() -> None:
    """Register servers and start runs on them."""


@server.command("list")
@click.option("--state", help="Only servers in this state.")
@click.option("--pool", "pool_id", help="Only servers of this pool.")
@click.option("--tag", help="Only servers with this tag.")
@click.option("--health", help="Only servers with this health.")
@click.option("-q", "--search", "q", help="Part of the name, serial number or address.")
@pass_caller
def list_(caller: Caller, /, **filters: object) -> None:
    """List servers."""
    caller.show([each.raw for each in caller.client.servers.each(**filters)], columns.SERVERS)


@server.command()
@click.argument("server_id", metavar="SERVER")
@pass_caller
def get(caller: Caller, server_id: str) -> None:
    """Show a server, the actions that its state allows, and what its run has met."""
    caller.resource = f"server {server_id}"
    found = caller.client.servers.get(server_id)
    caller.show(found.raw, columns.SERVER)
    if caller.form == "table" and found.run_id:
        with suppress(WindlassError):  # Its run may have been deleted, or be nothing that this key may read.
            _tell_trouble(caller.client.runs.get(found.run_id))


def _tell_trouble(run: Run) -> None:
    """Why the run that works on a server does not get on."""
    met = [
        f"{step.name}: {step.error.message}" for step in run.steps if step.error and step.status == "running"
    ]
    if run.needs_operator and run.waiting_on:
        output.say(f"Run {run.id} on it: {run.waiting_on.text}")
    elif met and not run.ended:
        output.say(f"Run {run.id} on it tries again after {met[0]}")


@server.command()
@click.option(
    "--protocol", type=click.Choice(("ipmi", "redfish")), required=True, help="Protocol of the BMC."
)
@click.option("--address", "bmc_address", required=True, help="Address of the BMC, as HOST:PORT.")
@credential[0]
@credential[1]
@click.option("--name", "display_name", help="Display name.")
@click.option("--description", help="Description.")
@click.option("--system", "system_id", help="Id of the system, for a Redfish BMC with several systems.")
@click.option("--mac", "boot_mac", help="MAC address of the network card to boot from.")
@click.option("--persona", help="Purpose.")
@click.option("--pool", "pool_id", help="Pool of the server.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@triggers
@pass_caller
def register(caller: Caller, /, dry_run: bool, wait: bool, timeout: float | None, **values: Any) -> None:
    """Register a machine in the inventory."""
    values["tags"] = list(values["tags"]) or None
    values.pop("queue")  # There is nothing yet that a run could hold.
    if dry_run:
        show_plan(caller, caller.client.servers.plan_register(**values))
        return
    _begun(caller, caller.client.servers.register(**values), "Registering", wait, timeout)


@server.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_caller
def import_(caller: Caller, file: Path) -> None:
    """Register every machine of FILE, a JSON list or a CSV table."""
    machines = imports.read(file)
    portions = [machines[first : first + PORTION] for first in range(0, len(machines), PORTION)]
    results = [one for portion in portions for one in caller.client.servers.import_(portion)]
    caller.show(results, columns.RESULTS)
    failed = sum("error" in result for result in results)
    output.say(f"{len(results) - failed} of {len(results)} accepted.")
    if failed:
        raise click.exceptions.Exit(1)


@server.command("set-credential")
@click.argument("server_id", metavar="SERVER")
@credential[0]
@credential[1]
@pass_caller
def set_credential(caller: Caller, server_id: str, username: str, password: str) -> None:
    """Replace the login of the BMC."""
    caller.resource = f"server {server_id}"
    caller.client.servers.set_credential(server_id, username=username, password=password)
    output.say(f"The credential of {server_id} was replaced.")


@server.command("trust-certificate")
@click.argument("server_id", metavar="SERVER")
@click.option(
    "--fingerprint",
    help="SHA-256 of the new certificate, read at the machine. Safer than trusting the next one.",
)
@pass_caller
def trust_certificate(caller: Caller, server_id: str, fingerprint: str | None) -> None:
    """Trust a new certificate of the BMC: the one of --fingerprint, or the one that it shows next."""
    caller.resource = f"server {server_id}"
    if fingerprint is None:
        caller.confirm(f"Trust whatever certificate the BMC of {server_id} shows next?")
    plain = fingerprint and fingerprint.replace(":", "")
    caller.client.servers.trust_certificate(server_id, plain or None)
    output.say(f"The BMC of {server_id} is known by {plain or 'the certificate that it shows next'}.")


@server.command()
@click.argument("server_id", metavar="[SERVER]", required=False)
@click.option("--image", "url", required=True, help="URL of the image.")
@click.option("--checksum", help="Checksum of the image.")
@click.option("--checksum-type", default="sha256", show_default=True, help="Algorithm of the checksum.")
@click.option(
    "--format", "format_", default="raw", show_default=True, help="Format of the image: raw or qcow2."
)
@click.option("--pool", help="Take any available server of this pool instead.")
@click.option(
    "--count",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of servers to take from the pool.",
)
@triggers
@pass_caller
def provision(
    caller: Caller, /, server_id: str | None, url: str, pool: str | None, count: int, **more: object
) -> None:
    """Install an operating system on SERVER, or on servers of a pool."""
    image = {"url": url, "checksum": more["checksum"], "checksumType": more["checksum_type"]}
    image = {k: v for k, v in {**image, "format": more["format_"]}.items() if v is not None}
    if bool(server_id) == bool(pool):
        raise click.UsageError("Give either SERVER or --pool.")
    if server_id:
        _act(caller, server_id, "provision", more, image=image)
        return
    taken = caller.client.servers.provision_from_pool(
        str(pool), image, count=count, on_failure=more["on_failure"]
    )
    caller.show(list(taken), columns.TAKEN)
    caller.hint("windlass run list --type server.provision")


@server.command()
@click.argument("state", type=click.Choice(("on", "off")))
@click.argument("server_id", metavar="SERVER")
@click.option("--force", is_flag=True, default=None, help="Switch off without a shutdown of the system.")
@triggers
@pass_caller
def power(caller: Caller, /, state: str, server_id: str, force: bool | None, **more: object) -> None:
    """Switch SERVER on or off; succeeds if it already is."""
    mode = "hard" if force else None
    _act(caller, server_id, "powerOn" if state == "on" else "powerOff", more, mode=mode)


@server.command()
@click.argument("server_id", metavar="SERVER")
@click.option(
    "--mode",
    type=click.Choice(("soft", "hard")),
    help="soft asks the system to reboot; hard resets the machine.",
)
@triggers
@pass_caller
def reboot(caller: Caller, /, server_id: str, mode: str | None, **more: object) -> None:
    """Reboot SERVER."""
    _act(caller, server_id, "reboot", more, mode=mode)


@server.command()
@click.argument("server_id", metavar="SERVER")
@click.argument("state", type=click.Choice(("on", "off")))
@click.option("--reason", help="Reason, shown with the server.")
@triggers
@pass_caller
def maintenance(caller: Caller, /, server_id: str, state: str, reason: str | None, **more: object) -> None:
    """Switch the maintenance of SERVER on or off."""
    _act(caller, server_id, "maintenance", more, enabled=state == "on", reason=reason)


def _plain(verb: str, help: str, question: str = "") -> None:
    """An action without values of its own."""

    @server.command(verb, help=help)
    @click.argument("server_id", metavar="SERVER")
    @triggers
    @pass_caller
    def act(caller: Caller, /, server_id: str, **more: object) -> None:
        if question and not more["dry_run"]:
            caller.confirm(question.format(server_id))
        _act(caller, server_id, verb, more)


_plain("inspect", "Read what SERVER consists of.")
_plain("deprovision", "Give a provisioned SERVER back.", "Deprovision {}? What is installed there is lost.")


@server.command()
@click.argument("server_id", metavar="SERVER")
@click.option("--force", is_flag=True, default=None, help="Continue even if the server does not answer.")
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing.")
@waits
@pass_caller
def decommission(
    caller: Caller, server_id: str, force: bool | None, dry_run: bool, wait: bool, timeout: float | None
) -> None:
    """Remove SERVER from the inventory."""
    caller.resource = f"server {server_id}"
    if dry_run:
        show_plan(caller, caller.client.servers.plan_decommission(server_id, force=force))
        return
    caller.confirm(f"Decommission {server_id}? It leaves the inventory for good.")
    accepted = caller.client.servers.decommission(server_id, force=force)
    _begun(caller, accepted, "Decommissioning", wait, timeout)


def _act(caller: Caller, server_id: str, action: str, more: dict[str, Any], **values: object) -> None:
    caller.resource = f"server {server_id}"
    servers = caller.client.servers
    if more["dry_run"]:
        show_plan(caller, servers.plan(server_id, action, on_failure=more["on_failure"], **values))
        return
    accepted = servers.act(server_id, action, **values, **options(more["on_failure"], more["queue"]))
    _begun(caller, accepted, action, more["wait"], more["timeout"])


def _begun(caller: Caller, accepted: Accepted[Server], what: str, wait: bool, timeout: float | None) -> None:
    if not wait:
        caller.show({**accepted.raw, "workflowId": accepted.run_id}, columns.ACCEPTED)
    started(caller, accepted.run_id, wait, timeout, f"{what} {accepted.resource.id}")
