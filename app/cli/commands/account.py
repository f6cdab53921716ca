"""`windlass account`: accounts at clouds, and on this host, where batches make servers."""

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, pass_caller

SECRETS = {
    "aws": (("accessKeyId", "Access key id"), ("secretAccessKey", "Secret access key")),
    "upcloud": (("username", "User name"), ("password", "Password")),
    "local": (),
}


@click.group(cls=Noun)
def account() -> None:
    """Manage accounts at clouds, where batches make servers."""


@account.command("list")
@click.option("--provider", type=click.Choice(sorted(SECRETS)), help="Only accounts at this provider.")
@pass_caller
def list_(caller: Caller, provider: str | None) -> None:
    """List accounts."""
    caller.show([one.raw for one in caller.client.accounts.each(provider=provider)], columns.ACCOUNTS)


@account.command()
@click.argument("account_id", metavar="ACCOUNT")
@pass_caller
def get(caller: Caller, account_id: str) -> None:
    """Show an account."""
    caller.resource = f"account {account_id}"
    caller.show(caller.client.accounts.get(account_id).raw, columns.ACCOUNTS)


@account.command()
@click.argument("name")
@click.option(
    "--provider", required=True, type=click.Choice(sorted(SECRETS)), help="Provider of the servers."
)
@click.option("--endpoint", help="Base URL. Leave it out for the provider's own.")
@click.option("--region", help="Region.")
@click.option("--image", help="Image of new servers. Debian 12 when left out.")
@click.option("--ssh-user", help="User to log in as.")
@click.option("--calls-at-once", type=int, help="Most calls at the same time.")
@click.option("--calls-a-second", type=int, help="Most calls a second.")
@click.option("--description", help="Description.")
@pass_caller
def add(caller: Caller, /, name: str, provider: str, **values: object) -> None:
    """Add an account; its credentials are asked for, or read from standard input, and sealed."""
    secret = _asked(provider)
    made = caller.client.accounts.create(name, provider, secret, **values)
    caller.show(made.raw, columns.ACCOUNTS)
    caller.hint(f"windlass account check {made.name}")


@account.command("set-credentials")
@click.argument("account_id", metavar="ACCOUNT")
@pass_caller
def set_credentials(caller: Caller, account_id: str) -> None:
    """Replace the credentials; they are asked for, or read from standard input."""
    caller.resource = f"account {account_id}"
    found = caller.client.accounts.get(account_id)
    caller.client.accounts.update(account_id, credentials=_asked(found.provider))
    output.say(f"The credentials of {found.name} were replaced.")


@account.command()
@click.argument("account_id", metavar="ACCOUNT")
@pass_caller
def check(caller: Caller, account_id: str) -> None:
    """Check an account: identity, plans and zones on offer, difference of the clocks."""
    caller.resource = f"account {account_id}"
    caller.show(caller.client.accounts.check(account_id).raw, columns.ACCOUNT_CHECK)


@account.command()
@click.argument("account_id", metavar="ACCOUNT")
@pass_caller
def forget(caller: Caller, account_id: str) -> None:
    """Remove an account; what it has made stays where it is."""
    caller.resource = f"account {account_id}"
    caller.confirm(f"Forget {account_id}?")
    caller.client.accounts.delete(account_id)
    output.say(f"{account_id} was forgotten.")


def _asked(provider: str) -> dict[str, str]:
    """Credentials never stand in arguments, which everybody on the host can read."""
    prompts = SECRETS[provider]
    return {
        member: click.prompt(says, hide_input=place == len(prompts) - 1, err=True)
        for place, (member, says) in enumerate(prompts)
    }
