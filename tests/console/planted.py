"""Runs as the engine leaves them, one in each state that calls for somebody; servers are in memory."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.record.inventory import servers
from app.services.context import AppContext
from tests.console.planted_others import plant_app, plant_batches
from tests.support.driver import Driver
from tests.support.managed import IMAGE, Scene

HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}</script><svg onload=alert(2)>"
PROVISION = {"image": IMAGE}


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What there is."""

    servers: tuple[str, ...]
    completed: str
    undone: str
    held: str
    waiting: str
    locked: str
    hostile: str
    batch: str
    awaits: str


def plant(world: AppContext, folder: Path) -> Planted:
    """Drive runs to where they stand."""
    batches = plant_batches(world, folder)  # First: a batch is driven with all that is open.
    plant_app(world)
    scene = Scene(world.db, driver := Driver(world.db))
    driver.capabilities = scene
    pool = scene.plant_pool(7)
    named = tuple(sorted(scene.bmcs))
    for place, server_id in enumerate(named[:6]):
        change = {"display_name": f"m{place + 1}", "serial": f"SN-{place + 1}", "identified_at": 1}
        world.db.write(partial(servers.change_server, server_id=server_id, changes=change))
    strange = {"display_name": HOSTILE, "description": HOSTILE, "serial": HOSTILE[:60]}
    world.db.write(partial(servers.change_server, server_id=named[6], changes=strange))
    assert pool
    completed = scene.ran("server.inspect", named[0])
    return Planted(
        servers=named,
        completed=completed,
        undone=_failed(scene, named[1], "compensate"),
        held=(held := _failed(scene, named[2], "hold")),
        locked=scene.start("server.inspect", named[2], on_conflict="queue") if held else "",
        waiting=_waiting(scene, named[3]),
        hostile=scene.start("server.inspect", named[6], tags=["hostile"]),
        batch=batches.failed,
        awaits=batches.awaits,
    )


def _failed(scene: Scene, server_id: str, on_failure: str) -> str:
    """An installation whose controller refuses to switch on."""
    run_id = scene.start("server.provision", server_id, PROVISION, on_failure=on_failure)
    scene.driver.drain_until(run_id, "power-2")
    scene.bmcs[server_id].faults.add("refuse")
    for _ in range(20):
        scene.driver.drain()
        if scene.driver.status(run_id) in ("failed_held", "compensating") or not scene.driver.fire(
            run_id, "retry"
        ):
            break
    scene.bmcs[server_id].faults.clear()
    scene.finish(run_id) if on_failure == "compensate" else None
    return run_id


def _waiting(scene: Scene, server_id: str) -> str:
    """An installation that is under way."""
    scene.boot.broken.add(f"{server_id}:623")
    run_id = scene.start("server.provision", server_id, PROVISION)
    scene.reach(run_id, "install")
    return run_id
