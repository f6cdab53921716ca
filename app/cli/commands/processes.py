"""Commands that run parts of Windlass on this machine: up, worker, projector and so on."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, Verb, pass_caller
from app.config import Settings, environment, load, load_world
from app.host import programs
from app.host import up as everything
from app.host import worker as worker_host

F = TypeVar("F", bound=Callable[..., object])
_AUTHORS = (
    click.option(
        "--import",
        "imports",
        multiple=True,
        metavar="MODULE",
        help="Serve the code workflows of this module; repeatable.",
    ),
    click.option(
        "--app-dir", type=click.Path(path_type=Path), help="Folder of the modules; default: the current one."
    ),
    click.option("--workflow", metavar="NAME", help="Serve only this workflow."),
)


def authors(command: F) -> F:
    """The options that name modules of code workflows."""
    for option in reversed(_AUTHORS):
        command = option(command)
    return command


@click.command()
@authors
@click.option(
    "--demo", is_flag=True, help="Run a demonstration through the public API, with the machines of the lab."
)
@click.option("--lab", is_flag=True, help="Start the lab.")
@click.option("--flower/--no-flower", default=True, help="Start Flower.")
@click.option("--apps/--no-apps", default=True, help="Serve apps of the Workflow DevKit.")
@click.option(
    "--batch-port",
    type=click.IntRange(1, 65_535),
    help="Serve the API on this port, too; clients of batches expect 9090.",
)
@click.option(
    "--exit", "exit_when_done", is_flag=True, help="Stop after the demonstration, with status 0 or 1."
)
@click.pass_context
def up(
    context: click.Context,
    imports: tuple[str, ...],
    app_dir: Path | None,
    workflow: str | None,
    demo: bool,
    lab: bool,
    flower: bool,
    apps: bool,
    batch_port: int | None,
    exit_when_done: bool,
) -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    settings = _authored(imports, app_dir, workflow)
    if batch_port:
        settings = replace(settings, batch_port=batch_port)
    job = _demo(settings) if demo else None
    wish = everything.UpOptions(
        lab=lab or demo, flower=flower, apps=apps, exit_when_done=exit_when_done, job=job
    )
    context.exit(everything.run(settings, wish))


@click.command()
@click.argument("database_url", default="", metavar="[DATABASE_URL]")
@click.option("-H", "--host", help="Address to listen on; else $HOST, 127.0.0.1, or 0.0.0.0 behind tokens.")
@click.option("-p", "--port", type=click.IntRange(1, 65_535), help="Port to listen on; else $PORT, 3042.")
@click.option("--keys", is_flag=True, help="Ask for API keys with the scope apps.")
def world(database_url: str, host: str | None, port: int | None, keys: bool) -> None:
    """Keep the runs of Workflow DevKit apps, as `npx @platformatic/workflow` does.

    DATABASE_URL is PostgreSQL's; without one, here or in the environment, SQLite serves in the state folder.
    """
    from app.host import world as apps

    given: dict[str, Any] = {"database_url": database_url, "apps_host": host, "apps_port": port}
    given["apps_identity"] = "keys" if keys else ""
    apps.run(load_world(**{name: value for name, value in given.items() if value}))


@click.group(cls=Noun, invoke_without_command=True)
@authors
@click.option("--queue", "queues", multiple=True, help="Serve only this queue; repeatable.")
@click.option("--processes", type=click.IntRange(1), help="Pool processes of each worker.")
@click.option("--reconciler/--no-reconciler", "reconcile", default=True, help="Run a reconciler too.")
@click.option("--name", default="", help="Name of the worker host; required for a second one on one machine.")
@click.option(
    "--logs",
    type=click.Path(path_type=Path),
    help="Folder with one log file for each process; default: standard output.",
)
@click.pass_context
def worker(
    context: click.Context,
    imports: tuple[str, ...],
    app_dir: Path | None,
    workflow: str | None,
    queues: tuple[str, ...],
    processes: int | None,
    reconcile: bool,
    name: str,
    logs: Path | None,
) -> None:
    """Run a worker host: workers for all queues and a reconciler, restarted when they die.

    With --import it serves the code workflows of these modules and nothing else.
    """
    from app.cli.direct import check_installation

    if context.invoked_subcommand is not None:
        return
    settings = _authored(imports, app_dir, workflow)
    if settings.imports and queues:
        raise click.UsageError(
            "--import serves the queues of its workflows and cannot be combined with --queue"
        )
    check_installation(settings)
    own_name = name or (worker_host.AUTHORED if settings.imports else "")
    children = worker_host.children(
        settings,
        queues=worker_host.announced(settings) if settings.imports else queues,
        processes=processes,
        reconcile=reconcile,
        name=name,
    )
    worker_host.run(settings, children, logs=logs, name=own_name)


@worker.command()
@authors
def announce(imports: tuple[str, ...], app_dir: Path | None, workflow: str | None) -> None:
    """Announce the code workflows of the modules, as a worker host does, and print their queues as JSON."""
    from app.cli.direct import world
    from app.services import authored, presence

    found = authored.load(_authored(imports, app_dir, workflow))
    presence.announce(world(), found)
    click.echo(json.dumps([one.queue for one in found]))


@worker.command("list", cls=Verb)
@pass_caller
def list_(caller: Caller) -> None:
    """List worker pools, reconcilers and projectors of all hosts, and queues that no pool serves."""
    # Here and not above: every other command would pay for SQL at its start.
    from app.cli.direct import world
    from app.services import workers

    db = world().db
    caller.show(db.read(workers.working), columns.WORKERS)
    for name in db.read(workers.unserved):
        output.say(
            f"Nobody serves the queue {name}: start `windlass worker`, or one for it with --queue {name}."
        )


@worker.command(cls=Verb)
@click.argument("pool", required=False)
@click.option("--name", default="", help="Name that the worker host was started with.")
@click.option("--reason", help="Why the pool is drained.")
@pass_caller
def drain(caller: Caller, pool: str | None, name: str, reason: str | None) -> None:
    """Stop this machine's worker host after its running steps have ended.

    With a POOL, as `windlass worker list` names it, that pool of whichever machine takes nothing new until it
    is resumed; this goes through the API and requires the scope admin.
    """
    if pool is not None:
        caller.client.workers.drain(pool, reason=reason)
        output.say(f"{pool} takes nothing new; what it does ends. `windlass worker resume {pool}` undoes it.")
        return
    pid = worker_host.drain(load(), name)
    click.echo(f"The worker host (process {pid}) has ended.", err=True)


@worker.command(cls=Verb)
@click.argument("pool")
@click.option("--reason", help="Why it takes work again.")
@pass_caller
def resume(caller: Caller, pool: str, reason: str | None) -> None:
    """Let a pool that was drained take work again; requires the scope admin."""
    caller.client.workers.resume(pool, reason=reason)
    output.say(f"{pool} takes work again.")


@click.command()
def reconciler() -> None:
    """Run a reconciler; any number may run."""
    # Here and not above: every other command would pay for the engine and its SQL at start.
    from app.engine.reconciler.reconciler import run_forever
    from app.wiring import wire

    run_forever(wire(_logging(), role="reconciler"), _stop_signals())


@click.command()
def projector() -> None:
    """Run a projector, which watches management clusters; any number may run."""
    from app.projector.projector import projector as made
    from app.wiring import wire

    made(wire(_logging(), role="projector")).run_forever(_stop_signals())


@click.command()
def api() -> None:
    """Run the API."""
    settings = load()
    _become(settings, programs.api(settings))


@click.command()
@click.option("--address", default="127.0.0.1", help="Address to listen on. Flower has no login.")
def flower(address: str) -> None:
    """Run Flower, read-only."""
    settings = load()
    _become(settings, programs.flower(settings, address))


@click.command()
@click.option("--count", type=click.IntRange(1), default=everything.LAB_COUNT, help="Number of machines.")
@click.option("--password", default=everything.LAB_PASSWORD, help="Password of every BMC.")
def lab(count: int, password: str) -> None:
    """Run the lab: simulated BMCs over real IPMI and Redfish, on loopback."""
    settings = load()
    _become(settings, programs.lab(settings, password, count))


def _authored(imports: tuple[str, ...], app_dir: Path | None, workflow: str | None) -> Settings:
    """The settings, with the modules of authors that the command line names, if it names any."""
    settings = load()
    if not imports:
        if workflow or app_dir:
            raise click.UsageError("--workflow and --app-dir need --import")
        return settings
    folder = str((app_dir or Path()).resolve())
    return replace(settings, imports=",".join(imports), app_dir=folder, workflow=workflow or "")


def _logging() -> Settings:
    """The settings, with logs as they want them."""
    from app import logs

    settings = load()
    logs.configure(settings.log_level)
    return settings


def _stop_signals() -> Any:
    """What becomes true when this process is asked to end."""
    from app.engine.reconciler.reconciler import Stop

    stopped = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _become(settings: Settings, argv: tuple[str, ...]) -> NoReturn:
    """Turn this process into the program, so that signals reach it directly."""
    os.execve(argv[0], argv, environment(settings))


def _demo(settings: Settings) -> Callable[[], int]:
    """The demo as a job; imported late, since only `--demo` needs it."""
    from app.cli.demo import run_demo

    return lambda: run_demo(everything.local_url(settings), everything.lab_url(settings))
