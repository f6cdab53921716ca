"""`windlass`: nouns and verbs. A noun's module is imported when the noun is used, so that help is quick."""

import os
from importlib import import_module

import click

from app.cli.context import Caller, ends_well, shared, stays_here
from app.config import release

# Name, where it lives, what it is for.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("run", "app.cli.commands.runs:run", "Start, follow and change runs."),
    ("server", "app.cli.commands.servers:server", "Register servers and start runs on them."),
    ("pool", "app.cli.commands.pools:pool", "Manage pools of servers for provisioning."),
    (
        "cluster",
        "app.cli.commands.cluster:cluster",
        "Create, scale, upgrade and delete Kubernetes clusters.",
    ),
    ("vm", "app.cli.commands.vm:vm", "Create, switch and delete virtual machines."),
    (
        "management",
        "app.cli.commands.management:management",
        "Manage the Kubernetes clusters that host clusters and virtual machines.",
    ),
    ("batch", "app.cli.commands.batch:batch", "Submit, follow and roll back batches."),
    ("account", "app.cli.commands.account:account", "Manage accounts at clouds, where batches make servers."),
    ("schedule", "app.cli.commands.schedules:schedule", "Start runs at due times."),
    ("webhook", "app.cli.commands.webhooks:webhook", "Manage webhooks and their deliveries."),
    (
        "workflow",
        "app.cli.commands.workflow:workflow",
        "Trigger and follow code workflows, and send signals.",
    ),
    ("app", "app.cli.commands.apps:app", "Applications of the Workflow DevKit and their runs."),
    ("type", "app.cli.commands.types:type_", "Show and pause workflow types."),
    ("stats", "app.cli.commands.stats:stats", "How runs ended, how long they took, why they failed."),
    ("lock", "app.cli.commands.locks:lock", "List and release resource locks."),
    ("queue", "app.cli.commands.queues:queue", "Show the queues in Redis."),
    ("doctor", "app.cli.commands.doctor:doctor", "Check what must always hold, and say what to do."),
    ("search", "app.cli.commands.search:search", "Find what a text may mean."),
    ("about", "app.cli.commands.search:about", "Show what the service is."),
    ("view", "app.cli.commands.views:view", "Keep filters of the list of runs under names."),
    ("audit", "app.cli.commands.audit:audit", "List who changed what, and why."),
    ("key", "app.cli.commands.keys:key", "Manage API keys, directly in the database."),
    ("secrets", "app.cli.commands.keys:secrets", "Manage sealed credentials."),
    ("db", "app.cli.commands.db:db", "Manage the database schema."),
    ("config", "app.cli.commands.settings:config", "Show the settings."),
    ("openapi", "app.cli.commands.openapi:openapi", "The description of the HTTP API."),
    ("completion", "app.cli.commands.completion:completion", "Completion for your shell."),
    ("up", "app.cli.commands.processes:up", "Start everything on this machine."),
    ("world", "app.cli.commands.processes:world", "Keep the runs of Workflow DevKit apps."),
    ("worker", "app.cli.commands.processes:worker", "Run a worker host, or drain it."),
    ("reconciler", "app.cli.commands.processes:reconciler", "Run the reconciler alone."),
    ("projector", "app.cli.commands.processes:projector", "Watch management clusters."),
    ("api", "app.cli.commands.processes:api", "Run the API."),
    ("flower", "app.cli.commands.processes:flower", "Run Flower, read-only."),
    ("lab", "app.cli.commands.processes:lab", "Run simulated machines over real IPMI and Redfish."),
)
TARGETS = {name: target for name, target, _ in COMMANDS}


class Root(click.Group):
    """The table above as a group of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(TARGETS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TARGETS:
            return None
        module, _, name = TARGETS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: asking the commands themselves would import them all."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, _, says in COMMANDS])

    def invoke(self, ctx: click.Context) -> object:
        return ends_well(lambda: super(Root, self).invoke(ctx), ctx)


@click.group(
    cls=Root,
    params=shared(root=True),
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
    epilog="Exit status: 0 ok, 1 error, 2 usage, 3 not found, 4 key, 5 conflict, 6 run failed, "
    "7 run cancelled, 8 unavailable, 124 wait timed out, 130 interrupted.",
)
@click.version_option(release(), prog_name="windlass")
@click.pass_context
def cli(context: click.Context) -> None:
    """A durable workflow service: runs of steps that act on real machines, and can be undone."""
    os.umask(0o077)  # What we make holds keys, databases and logs, and is nobody else's.
    stays_here(context, context.invoked_subcommand or "")
    context.call_on_close(context.ensure_object(Caller).close)
