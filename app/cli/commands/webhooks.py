"""`windlass webhook`: where events are sent, and what became of each."""

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, pass_caller


@click.group(cls=Noun)
def webhook() -> None:
    """Manage webhooks and their deliveries."""


@webhook.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List webhooks."""
    caller.show([each.raw for each in caller.client.webhooks.each()], columns.WEBHOOKS)


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@pass_caller
def get(caller: Caller, webhook_id: str) -> None:
    """Show a webhook."""
    caller.resource = f"webhook {webhook_id}"
    caller.show(caller.client.webhooks.get(webhook_id).raw, columns.WEBHOOK)


@webhook.command()
@click.argument("url")
@click.option(
    "--event", "events", multiple=True, default=("*",), help="Name or pattern of events; repeatable."
)
@click.option("--description", help="Purpose.")
@pass_caller
def create(caller: Caller, url: str, events: tuple[str, ...], description: str | None) -> None:
    """Create a webhook for URL; its secret is shown only once."""
    made = caller.client.webhooks.create(url, events, description=description)
    caller.show(made.raw, columns.WEBHOOK)
    output.say("Keep the secret: it is not shown again.")
    caller.hint(f"windlass webhook test {made.id}")


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--url", "target", help="New URL.")
@click.option("--event", "events", multiple=True, help="Replace all subscribed events; repeatable.")
@click.option("--active/--inactive", default=None, help="Switch deliveries on or off.")
@pass_caller
def change(
    caller: Caller, webhook_id: str, target: str | None, events: tuple[str, ...], active: bool | None
) -> None:
    """Change a webhook."""
    caller.resource = f"webhook {webhook_id}"
    wanted = list(events) or None
    made = caller.client.webhooks.update(webhook_id, url=target, events=wanted, active=active)
    caller.show(made.raw, columns.WEBHOOK)


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@pass_caller
def delete(caller: Caller, webhook_id: str) -> None:
    """Delete a webhook."""
    caller.resource = f"webhook {webhook_id}"
    caller.confirm(f"Delete {webhook_id}?")
    caller.client.webhooks.delete(webhook_id)
    output.say(f"{webhook_id} was deleted.")


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@pass_caller
def rotate(caller: Caller, webhook_id: str) -> None:
    """Create a new secret; the old one stays valid for an overlap."""
    caller.resource = f"webhook {webhook_id}"
    caller.show(caller.client.webhooks.rotate(webhook_id).raw, columns.WEBHOOK)
    output.say("Keep the secret: it is not shown again.")


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@pass_caller
def test(caller: Caller, webhook_id: str) -> None:
    """Send a test event."""
    caller.resource = f"webhook {webhook_id}"
    caller.show(caller.client.webhooks.test(webhook_id).raw, columns.DELIVERIES)
    caller.hint(f"windlass webhook deliveries {webhook_id}")


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--status", help="Only deliveries in this status.")
@pass_caller
def deliveries(caller: Caller, webhook_id: str, status: str | None) -> None:
    """List deliveries."""
    caller.resource = f"webhook {webhook_id}"
    found = caller.client.webhooks.deliveries(webhook_id, status=status)
    caller.show([each.raw for each in found], columns.DELIVERIES)


@webhook.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.argument("delivery_id", metavar="DELIVERY")
@pass_caller
def redeliver(caller: Caller, webhook_id: str, delivery_id: str) -> None:
    """Send a delivery again, even a dead one."""
    caller.resource = f"delivery {delivery_id}"
    caller.show(caller.client.webhooks.redeliver(webhook_id, delivery_id).raw, columns.DELIVERIES)
