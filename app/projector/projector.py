"""The projector: holds sources, watches them, and starts the runs that tell what changed.

Any number of instances may run. A source is watched by the one that holds its lease; when that dies, another
one takes over, lists everything and goes on. Instances on the same host see at once that a holder is gone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from app.config import Settings, release
from app.domain.errors import WindlassError
from app.engine.messages.publisher import Publisher
from app.engine.process_id import instance, is_gone
from app.engine.reconciler.reconciler import Stop
from app.projector.source import Reached, Row, Source
from app.projector.tell import is_due, tell
from app.providers.reflector import Pace
from app.record.inventory import sources
from app.record.inventory.sources import SERVERS, Held
from app.record.service import heartbeats
from app.record.session import Database, Tx
from app.services.children import ChildRuns
from app.services.context import AppContext
from tasks.capabilities import Reach

log = structlog.get_logger(__name__)
TICK_S = 0.25
LEAVE_S = 2.0  # What a watch gets to end in order.
Key = tuple[str, str]


@dataclass
class Mine:
    """A source that this instance holds."""

    held: Held
    watch: Source | None  # None for servers, which runs poll.
    management_version: int | None  # Of the management cluster as it is watched.


@dataclass(kw_only=True)
class Projector:
    """One instance, with what it needs."""

    settings: Settings
    db: Database
    publish: Publisher
    reach: Reached
    instance: str
    pace: Pace = field(default_factory=Pace)
    _mine: dict[Key, Mine] = field(default_factory=dict)
    _renew_at: float = 0.0

    @property
    def holds(self) -> frozenset[Key]:
        """The sources of this instance: management cluster and kind."""
        return frozenset(self._mine)

    def run_forever(self, stopped: Stop) -> None:
        """Pass after pass until stopped; a database that is away is waited for."""
        while not stopped.is_set():
            self._guarded("pass", self.one_pass)
            stopped.wait(TICK_S)
        self._guarded("leave", self.leave)

    def one_pass(self) -> None:
        """Hold on to what is ours, take what is free, tell what is due."""
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + self.settings.heartbeat_ms / 1000
            self._renew()
        rows, due = self.db.read(self._look)
        for row in rows:
            self._guarded("take", partial(self._look_after, row))
        for held in due:
            self._guarded("tell", partial(self._tell, held))

    def leave(self) -> None:
        """Let go of everything, so that others need not wait."""
        watches = [mine.watch for mine in self._mine.values() if mine.watch is not None]
        for watch in watches:
            watch.stop()
        for watch in watches:
            watch.join(LEAVE_S)
        for mine in self._mine.values():
            self.db.write(partial(sources.release, held=mine.held))
        self._mine.clear()

    def _renew(self) -> None:
        """Renew the leases, with how each source is; what is lost is watched no longer."""
        reports = {key: mine.watch.report() if mine.watch else {} for key, mine in self._mine.items()}

        def work(tx: Tx) -> list[Key]:
            sources.keep_up(tx, servers=self.settings.power_poll_s > 0)
            heartbeats.note(
                tx, "projector", self.instance, {"sources": len(self._mine), "release": release()}
            )
            lease = self.settings.lease_ms
            return [
                key for key, m in self._mine.items() if not sources.renew(tx, m.held, lease, reports[key])
            ]

        for key in self.db.write(work):
            log.warning("source.lost", management=key[0], kind=key[1])
            self._drop(self._mine.pop(key))

    def _look(self, tx: Tx) -> tuple[list[Row], list[Held]]:
        """All sources, and those of ours that have something to tell; with whether each one is free."""
        rows = sources.all_sources(tx)
        mine = [(row, self._mine.get((row["management_id"], row["kind"]))) for row in rows]
        due = [one.held for row, one in mine if one is not None and is_due(tx, row)]
        return [{**row, "over": (row["lease_until"] or 0) < tx.now} for row in rows], due

    def _look_after(self, row: Row) -> None:
        """Take a source that is free; watch one of ours anew whose management cluster was changed."""
        key = (row["management_id"], row["kind"])
        mine = self._mine.get(key)
        if mine is None and (row["over"] or is_gone(row["holder"] or "")):
            held = self.db.write(lambda tx: sources.take(tx, row, self.instance, self.settings.lease_ms))
            if held is not None:
                log.info("source.taken", management=row["name"], kind=row["kind"], fence=held.fence)
                self._mine[key] = self._watched(held, row)
        elif mine is not None and mine.management_version != row["management_version"]:
            self._drop(mine)
            self._mine[key] = self._watched(mine.held, row)

    def _watched(self, held: Held, row: Row) -> Mine:
        watch = None
        if held.kind != SERVERS:
            watch = Source(self.db, self.reach, held, str(row["name"]), self.pace)
            watch.start()
        return Mine(held, watch, row["management_version"])

    def _tell(self, held: Held) -> None:
        poll_ms = self.settings.power_poll_s * 1000
        self.publish(self.db.write(lambda tx: tell(tx, held, poll_ms)))

    def _drop(self, mine: Mine) -> None:
        if mine.watch is not None:
            mine.watch.stop()

    def _guarded(self, name: str, look: Callable[[], object]) -> None:
        try:
            look()
        except WindlassError as error:
            log.warning("projector.refused", look=name, reason=error.message)
        except Exception:  # One source that cannot be moved must not keep the others from moving.
            log.exception("projector.failed", look=name)


def projector(world: AppContext, pace: Pace | None = None) -> Projector:
    """The projector of this process; it opens kubeconfigs, so it needs the private sealing key."""
    children = ChildRuns(world.db, world.publish)
    reach = Reach(settings=world.settings, db=world.db, opener=lambda: world.opener, children=children)
    return Projector(
        settings=world.settings,
        db=world.db,
        publish=world.publish,
        reach=reach.kube,
        instance=f"{instance()}/projector",
        pace=pace or Pace(),
    )
