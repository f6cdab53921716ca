"""Drives batches: definitions in few words, runs carried to their end, sandboxes counted."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import select

from app.config import Settings
from app.domain.batch.definition import BatchDefinition, parse
from app.domain.batch.graph import selected
from app.domain.ids import batch_id, new_id
from app.engine.batches import compose, rollback, start
from app.engine.batches.scope import Wanted
from app.engine.batches.start import BatchOrder
from app.providers import taskservs
from app.providers.compute import Access, Compute
from app.providers.compute.local import LocalCompute
from app.providers.mirror import Mirror, mirror_of
from app.providers.shells.local import LocalShell
from app.providers.taskservs import Taskserv
from app.record.batches import graphs
from app.record.session import Database
from app.record.tables import instance, run
from app.services.children import ChildRuns
from app.services.context import AppContext
from tests.support.driver import Driver, NoWorld

Row = dict[str, Any]
AT_ONCE = {"max_attempts": 3, "initial_delay": 0, "max_delay": 0}


class Sandboxes(NoWorld):
    """What steps of batches can do: servers and scripts in folders, runs beside runs."""

    def __init__(self, folder: Path, children: ChildRuns) -> None:
        self.folder, self.children = folder, children
        self.metal: Any = None  # What has the controllers and the boot service, where machines are played.

    @property
    def boot(self) -> Any:
        """The boot service of the machines."""
        return self.metal.boot

    def bmc(self, server_id: str, holder: str) -> Any:
        """The controller of a machine."""
        return self.metal.bmc(server_id, holder)

    def open_hook(self, run_id: str, step: str) -> str:
        """No hooks are called here."""
        return "http://hook.example"

    def mirror(self, backend: str) -> Mirror:
        """The copies of checkpoints beside the sandboxes."""
        return mirror_of(backend, self.folder)

    def compute(self, provider: str, account: str) -> Compute:
        """The sandboxes of an account, whatever the provider."""
        return LocalCompute(Access(provider=provider, account=account, endpoint=str(self.folder)))

    def shell(self, provider: str, account: str, server: str) -> LocalShell:
        """The shell of a sandbox."""
        return LocalShell(self.folder / account / server / "root")

    def taskserv(self, name: str) -> Taskserv:
        """A taskserv of the test."""
        return taskservs.read(self.folder / "taskservs", name)


class Rig:
    """One engine, one folder of sandboxes."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder, self.judged = db, folder, True
        self.driver = Driver(db)
        self.world = Sandboxes(folder, ChildRuns(db, self.driver.publish))
        self.driver.capabilities = self.world
        settings = Settings(state_dir=str(folder), taskserv_dir=str(folder / "taskservs"))
        facts = {"db": db, "publish": self.driver.publish, "settings": settings}
        self.ctx = cast("AppContext", SimpleNamespace(**facts))
        self.most = 0  # Children at work at the same time.

    def submit(self, *operations: Row, only: Iterable[str] = (), key: str | None = None, **facts: Any) -> str:
        """Accept a batch; returns its id."""
        definition = definition_of(*operations, **facts)
        chosen = selected(definition.operations, tuple(only))
        new = batch_id()
        composed = compose.compose(definition, chosen, new, _Accounts(), sorted)
        order = BatchOrder(
            definition=definition,
            composed=composed,
            lineage=new,
            actor="usr_test",
            idempotency_key=key,
            identity=definition.document(),
        )
        made = self.db.write(lambda tx: start.accept_batch(tx, new, order))
        self.driver.publish(made.messages)
        return made.id

    def finish(self, batch: str, most: int = 400) -> str:
        """Carry the batch, and whatever belongs to it, as far as it goes by itself; returns its status."""
        for _ in range(most):
            moved = False
            while self.driver.deliver() is not None:
                moved = True
                self.most = max(self.most, self.at_work(batch))
            moved = sum(self.driver.fire(one) for one in self.open_runs()) > 0 or moved
            if not moved:
                break
        return self.driver.status(batch)

    def run(self, *operations: Row, **facts: Any) -> str:
        """Submit and finish; returns the id."""
        batch = self.submit(*operations, **facts)
        self.finish(batch)
        return batch

    def roll_back(self, batch: str, **wanted: Any) -> str | None:
        """Roll back by hand, to its end; returns the run, None when there was nothing to undo."""
        new = new_id("run")
        asked = Wanted(**wanted)
        _found, made = self.db.write(lambda tx: rollback.by_hand(tx, batch, new, "usr_test", asked))
        if made is None:
            return None
        self.driver.publish(made.messages)
        self.finish(new)
        return new

    def statuses(self, batch: str) -> dict[str, str]:
        """How the operations of a batch stand."""
        rows = self.db.read(lambda tx: graphs.members(tx, batch))
        return {row["key"]: str(row["status"]) for row in rows}

    def order(self, batch: str, type_: str = "step.completed") -> list[str]:
        """The operations in the order in which this happened to them."""
        return [
            str(row["step"])
            for row in self.driver.log(batch)
            if row["type"] == type_ and row["step"] and not row["step"].startswith("graph:")
        ]

    def at_work(self, batch: str) -> int:
        """How many children of a batch have begun and not ended."""
        return self.db.read(lambda tx: graphs.at_work(tx, batch))

    def open_runs(self) -> list[str]:
        """The runs that have not ended, oldest first."""
        mine = (run.c.tenant_id == self.db.tenant, run.c.completed_at.is_(None))
        rows = self.db.read(lambda tx: tx.rows(select(run.c.id).where(*mine).order_by(run.c.created_at)))
        return [row["id"] for row in rows]

    def children(self, batch: str) -> list[Row]:
        """The runs of the operations of a batch."""
        mine = (run.c.tenant_id == self.db.tenant, run.c.parent_run_id == batch)
        return self.db.read(lambda tx: tx.rows(select(run).where(*mine).order_by(run.c.created_at)))

    def servers(self) -> set[str]:
        """The names of the sandboxes that there are."""
        return {path.parent.name for path in self.folder.glob("*/*/server.json")}

    def facts(self, name: str) -> Row:
        """What a sandbox has stored of itself."""
        (path,) = self.folder.glob(f"*/{name}/server.json")
        found: Row = json.loads(path.read_text())
        return found

    def inventory(self) -> list[Row]:
        """The rows of the inventory, oldest first."""
        mine = select(instance).where(instance.c.tenant_id == self.db.tenant)
        return self.db.read(lambda tx: tx.rows(mine.order_by(instance.c.created_at, instance.c.id)))

    def strays(self) -> list[str]:
        """Sandboxes that no row of the inventory owns."""
        owned = {row["token"] for row in self.inventory() if row["state"] != "gone"}
        return sorted(name for name in self.servers() if self.facts(name)["token"] not in owned)


class _Accounts(dict[tuple[str, str | None], str]):
    """Every account is called default."""

    def __missing__(self, _key: tuple[str, str | None]) -> str:
        return "default"


def definition_of(*operations: Row, **facts: Any) -> BatchDefinition:
    """A definition; retries follow at once."""
    return parse({"name": "test", "retry_policy": AT_ONCE, **facts, "operations": list(operations)})


def servers(
    id_: str, *names: str, needs: Iterable[Any] = (), rehearsal: Mapping[str, Any] | None = None, **more: Any
) -> Row:
    """An operation that makes servers, by default one of its own name; with a rehearsal for all of them."""
    one: Row = {
        "plan": "1xCPU-2GB",
        "zone": "here",
        **({"rehearsal": dict(rehearsal)} if rehearsal else {}),
    }
    configs = [{"name": name, **one} for name in names or (f"{id_}-1",)]
    known = {"id": id_, "type": "server_batch", "provider": "local", "dependencies": list(needs)}
    return {**known, "server_configs": configs, **more}


FAILS = {"fail_attempts": 1, "permanent": True}


def failing(id_: str, *names: str, **more: Any) -> Row:
    """An operation whose servers fail for good."""
    return servers(id_, *names, rehearsal=FAILS, **more)


def soft(id_: str, **more: Any) -> Row:
    """A dependency that waits whatever becomes of the other one."""
    return {"id": id_, "type": "soft", **more}
