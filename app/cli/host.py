"""Commands that run parts of Windlass on this machine: up, worker, projector and so on."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from app.cli.processes import programs
from app.cli.processes import up as everything
from app.cli.processes import worker as worker_host
from app.config import Settings, environment, load


@click.command()
@click.option(
    "--demo", is_flag=True, help="Run the main job through the public API, with the lab's machines."
)
@click.option("--lab", is_flag=True, help="Start the lab also without the demo.")
@click.option("--flower/--no-flower", default=True, help="Start Flower.")
@click.option("--exit", "exit_when_done", is_flag=True, help="Stop by itself, with status 0 or 1.")
@click.pass_context
def up(context: click.Context, demo: bool, lab: bool, flower: bool, exit_when_done: bool) -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    settings = load()
    job = _demo(settings) if demo else None
    wish = everything.Wish(lab=lab or demo, flower=flower, exit_when_done=exit_when_done, job=job)
    context.exit(everything.run(settings, wish))


@click.group(invoke_without_command=True)
@click.option("--queue", "queues", multiple=True, help="Serve this queue only; may be repeated.")
@click.option("--processes", type=click.IntRange(1), help="Pool processes of each worker.")
@click.option("--reconciler/--no-reconciler", "reconcile", default=True, help="Run a reconciler beside them.")
@click.option("--name", default="", help="Tells two worker hosts on one machine apart.")
@click.option("--logs", type=click.Path(path_type=Path), help="Folder for one log per process; else stdout.")
@click.pass_context
def worker(
    context: click.Context,
    queues: tuple[str, ...],
    processes: int | None,
    reconcile: bool,
    name: str,
    logs: Path | None,
) -> None:
    """Run a worker host: workers for all queues and a reconciler, restarted when they die."""
    if context.invoked_subcommand is not None:
        return
    settings = load()
    children = worker_host.children(
        settings, queues=queues, processes=processes, reconcile=reconcile, name=name
    )
    worker_host.run(settings, children, logs=logs, name=name)


@worker.command()
@click.option("--name", default="", help="The name that the worker host was started with.")
def drain(name: str) -> None:
    """Let the running steps of this machine's worker host end, then stop it."""
    pid = worker_host.drain(load(), name)
    click.echo(f"The worker host (process {pid}) has ended.", err=True)


@click.command()
def reconciler() -> None:
    """Run the reconciler alone, as many as you like."""
    # Here and not above: every other command would pay for the engine and its SQL at start.
    from app.engine.reconcile import run_forever
    from app.wiring import wire

    run_forever(wire(_logging(), role="reconciler"), _stop_signals())


@click.command()
def projector() -> None:
    """Run a projector, as many as you like: it watches management clusters and tells what changed."""
    from app.projector.projector import projector as made
    from app.wiring import wire

    made(wire(_logging(), role="projector")).run_forever(_stop_signals())


@click.command()
def api() -> None:
    """Run the API alone, by gunicorn."""
    settings = load()
    _become(settings, programs.api(settings))


@click.command()
@click.option("--address", default="127.0.0.1", help="Address to listen on; Flower has no login of its own.")
def flower(address: str) -> None:
    """Run Flower alone, read-only."""
    settings = load()
    _become(settings, programs.flower(settings, address))


@click.command()
@click.option("--count", type=click.IntRange(1), default=everything.LAB_COUNT, help="Number of machines.")
@click.option("--password", default=everything.LAB_PASSWORD, help="Password of every BMC.")
def lab(count: int, password: str) -> None:
    """Run the lab: simulated BMCs over real IPMI and Redfish, on loopback."""
    settings = load()
    _become(settings, programs.lab(settings, password, count))


def _logging() -> Settings:
    """The settings, with logs as they want them."""
    from app import logs

    settings = load()
    logs.configure(settings.log_level)
    return settings


def _stop_signals() -> Any:
    """What becomes true when this process is asked to end."""
    from app.engine.reconcile import Stop

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
