"""The demo: machines, a cluster on them, a virtual machine and a batch, through the public client alone."""

import sys
import time
from collections.abc import Mapping

import httpx
from rich.console import Console

from app.cli.demo import batches, clusters, servers
from app.cli.demo.lab import Lab
from app.cli.demo.stage import Stage
from app.cli.failure import explain
from app.config import load
from app.domain.errors import WindlassError as ServiceError
from windlass import Client, WindlassError


def run_demo(url: str, lab_control_url: str, password: str | None = None, api_key: str | None = None) -> int:
    """Perform all acts against the service and the lab; 0 when everything ended as it should, else 1.

    `password` opens the lab's controllers, that of `windlass up` unless given. May be repeated on the same
    state.
    """
    console = Console(width=None if sys.stdout.isatty() else 120)
    with Client(url, api_key) as client, Lab(lab_control_url, password) as lab:
        stage = Stage(client=client, lab=lab, console=console, stamp=time.strftime("%H%M%S"))
        try:
            _perform(stage)
        except (WindlassError, ServiceError) as error:
            console.print(explain(error), style="red", markup=False, highlight=False, soft_wrap=True)
            return 1
        except httpx.HTTPError as error:
            console.print(f"Error: the lab at {lab_control_url} does not answer: {error}", soft_wrap=True)
            return 1
        _where_to_look(stage, url)
    return 0


def _perform(stage: Stage) -> None:
    machines = stage.lab.machines(len(servers.ACTS))
    clusters.clear(stage)
    for act, machine in zip(servers.ACTS, machines, strict=True):
        act(stage, machine)
    clusters.play(stage)
    batches.play(stage)


def _where_to_look(stage: Stage, url: str) -> None:
    last = stage.shown[-1][1]
    places: Mapping[str, str] = {
        "API docs": f"{url}/docs",
        "Flower": f"http://127.0.0.1:{load().flower_port}/",
        "Command line": f"windlass run list; windlass run get {last}; windlass run events {last}",
        "": "windlass server list; windlass cluster list; windlass batch list; windlass doctor",
        "Console": f"{url}/console/",
    }
    stage.headline("All went as it should. Where to look:")
    for name, place in places.items():
        stage.console.print(f"  {name:<13} {place}", highlight=False, soft_wrap=True)
