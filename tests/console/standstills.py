"""What stands still until somebody does something, each situation on a server of its own."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import update

from app.auth.keys import LOCAL
from app.record.inventory import servers
from app.record.session import Database, Tx
from app.record.tables import run
from app.services import workers
from app.services.children import ChildRuns
from app.services.context import AppContext
from tests.console.planted import PROVISION
from tests.integration.batches.rig import Rig
from tests.integration.batches.rig import servers as operation
from tests.support.driver import Driver
from tests.support.managed import Scene
from windlass import Context, workflow

POOL = "bmc@host-1"  # The worker pool that was drained.
LONG_AGO_MS = 240_000


@dataclass(frozen=True, kw_only=True)
class Standstills:
    """Who stands still, and the engine that goes on when it is let."""

    scene: Scene
    rig: Rig
    locked: str  # Waits for the lock of m1, which `holder` has.
    holder: str  # Was paused by an operator.
    unserved: str  # Nobody serves its queue.
    refused: str  # Its controller refuses to switch on.
    exhausted: str  # Its undo failed for good.
    awaits: str  # A batch in which an operation waits for an approval.
    asks: str  # A code workflow that waits for the signal of a manager.


@workflow("expenses")
def expenses(ctx: Context, amount: int) -> Any:
    """Paid once a manager has approved it."""
    return {"amount": amount, "said": ctx.wait_for_signal("manager-approval")}


def plant(world: AppContext, driver: Driver, folder: Path) -> Standstills:
    """Drive everything to where it stands."""
    rig = Rig(world.db, folder)
    rig.driver, rig.world.children = driver, ChildRuns(world.db, driver.publish)
    driver.capabilities = rig.world
    awaits = rig.run(operation("first"), operation("last", needs=["first"], approval=True), name="rollout")
    driver.capabilities = scene = Scene(world.db, driver)
    scene.plant_pool(4)
    named = sorted(scene.bmcs)
    for place, server_id in enumerate(named):
        change = partial(
            servers.change_server, server_id=server_id, changes={"display_name": f"m{place + 1}"}
        )
        world.db.write(change)
    holder, locked = _locked(scene, named[0])
    return Standstills(
        scene=scene,
        rig=rig,
        locked=locked,
        holder=holder,
        refused=_refused(scene, named[1]),
        exhausted=_exhausted(scene, named[2]),
        awaits=awaits,
        asks=_asks(driver),
        unserved=_unserved(world, scene, named[3]),  # Last: whoever drives others would drive it, too.
    )


def _locked(scene: Scene, server_id: str) -> tuple[str, str]:
    scene.boot.broken.add(f"{server_id}:623")
    holder = scene.start("server.provision", server_id, PROVISION)
    scene.reach(holder, "install")
    scene.driver.act(holder, "pause", reason="lunch")
    return holder, scene.start("server.inspect", server_id, on_conflict="queue")


def _refused(scene: Scene, server_id: str) -> str:
    run_id = scene.start("server.provision", server_id, PROVISION, on_failure="hold")
    scene.bmcs[server_id].faults.add("refuse")
    assert scene.finish(run_id) == "failed_held"
    return run_id


def _exhausted(scene: Scene, server_id: str) -> str:
    scene.boot.broken.add(f"{server_id}:623")
    run_id = scene.start("server.provision", server_id, PROVISION)
    scene.reach(run_id, "install")
    scene.bmcs[server_id].faults.add("wrongPassword")  # No attempt of the undo is worth repeating.
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "compensation_failed"
    return run_id


def _asks(driver: Driver) -> str:
    run_id = driver.trigger(expenses, 100)
    driver.drain()
    return run_id


def _unserved(world: AppContext, scene: Scene, server_id: str) -> str:
    for name in ("default", "kube", "cloud"):
        workers.beat(world.db, f"{name}@host-1", [name], 4)
    workers.beat(world.db, POOL, ["bmc"], 2)
    workers.drain(world, LOCAL, POOL, "new memory")
    run_id = scene.start("server.inspect", server_id)
    while scene.driver.run(run_id)["expect_queue"] == "default":
        scene.driver.deliver()
    _age(world.db, run_id)
    return run_id


def _age(db: Database, run_id: str) -> None:
    """Let it have waited for a while."""
    db.write(lambda tx: tx.execute(update(run).where(run.c.id == run_id).values(_expected_long_ago(tx))))


def _expected_long_ago(tx: Tx) -> dict[str, int]:
    return dict.fromkeys(("expect_since", "expect_from"), tx.now - LONG_AGO_MS)
