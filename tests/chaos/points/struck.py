"""Faults at named points: a process dies, stands still or stumbles exactly there."""

import os
import signal
from contextlib import suppress
from random import Random
from typing import ClassVar

from app.domain.ids import new_id
from app.record.service import schedules
from app.record.session import Tx
from tests.chaos.fault import POSTGRES, SQLITE, Fault, Injection, Setting, register
from tests.chaos.faults.processes import family, kill
from tests.chaos.faults.waiting import within
from tests.chaos.points import arms
from tests.chaos.points.arms import ENDLESS, Arm, Control
from tests.chaos.site import Site
from tests.chaos.workload.mix import UNNUMBERED, Order

INSIDE = Setting(inside=("tests.chaos.points.inside",))
HIT_S = 5.0  # How long a strike waits for a process to pass.
LEASE_S = 10.0
CONFLICTS = ("40001", "40P01", "55P03")  # Serialization failure, deadlock, lock timeout.

ACCEPT = ("accept.before-commit", "accept.after-commit", "publish.before")
WORK = (
    "claim.before-commit",
    "claim.after-commit",
    "body.begin",
    "body.end",
    "settle.before-commit",
    "settle.after-commit",
)
LOOK = ("look.begin", "look.end")
FIRING = ("accept.before-commit", "accept.after-commit")  # In a reconciler: the run of a schedule.
TAKE_OVER = ("lose.before-commit", "lose.after-commit")


class AtPoint(Fault):
    """One process that passes one of some points."""

    needs = INSIDE
    points: ClassVar[tuple[str, ...]]
    action: ClassVar[str] = "kill"
    role: ClassVar[str] = ""
    where: ClassVar[str] = ""
    frozen_s: ClassVar[float] = 0.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Arm a point, and wait until a process has passed it."""
        control = arms.of(site.folder)
        arm = Arm(
            point=rng.choice(self.points),
            action=self.action,
            seconds=self.frozen_s,
            role=self.role,
            where=self.where,
        )
        name = control.arm(arm)
        lost = self.provoke(site, control, rng)
        struck = within(HIT_S, lambda: control.hits(name))
        control.disarm(name)
        if not struck:
            return None
        hit = control.hits(name)[0]
        self._pid = hit.pid
        return self.injection(f"{hit.action} at {hit.point}: {hit.facts}", [hit.pid, *lost])

    def heal(self, site: Site) -> None:
        """A frozen process goes on, if it has not yet."""
        if self.action == "freeze":
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGCONT)

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """Do what makes a process pass, when that is rare; the processes that it took."""
        return []


@register
class ChildKilledAtPoint(AtPoint):
    """A pool process dies before or after a commit, or around a body."""

    name, rows = "child-killed-at-point", ("RF1", "DF1", "RF12")
    points, role = WORK, "worker"
    weight = 3.0


@register
class CallbackKilled(AtPoint):
    """A pool process dies inside the error callback of another one's death."""

    name, rows = "callback-killed", ("RF1", "DF1")
    points, role = ("on_error.begin", "lose.before-commit", "lose.after-commit"), "worker"

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """A pool process dies in the middle of a step, which its main reports to the callback."""
        lost = control.arm(Arm(point="body.begin", action="kill", role="worker"))
        within(HIT_S, lambda: control.hits(lost))
        control.disarm(lost)
        return [hit.pid for hit in control.hits(lost)]


@register
class UndoKilled(AtPoint):
    """A pool process dies while it undoes something."""

    name, rows = "undo-killed", ("RF1", "DF17")
    points, role, where = ("body.begin", "body.end"), "worker", "phase=comp"


@register
class ApiKilledAtPoint(AtPoint):
    """The API dies around the commit that accepts a run, or before it publishes."""

    name, rows = "api-killed-at-point", ("RF3",)
    points, role = ACCEPT, "api"
    weight = 2.0


@register
class ReconcilerKilledAtPoint(AtPoint):
    """A reconciler dies in the middle of a pass, or around what it decided."""

    name, rows = "reconciler-killed-at-point", ("RF4", "DF12")
    points, role = LOOK, "reconciler"


@register
class OrderKilled(AtPoint):
    """A pool process dies after it has sent what must not be sent twice, before any process knows of it."""

    name, rows = "order-killed", ("RF18",)
    points, role, where = ("body.end",), "worker", "body=once"
    weight = 3.0

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """A client asks for one."""
        site.users.demand([Order(number=UNNUMBERED, type="chaos.once", given={})])
        return []


@register
class MachineOrderKilled(AtPoint):
    """A pool process dies after a machine has received an order, before any process knows of it."""

    name, rows = "machine-order-killed", ("RF18",)
    points, role = ("bmc.after-send", "bmc.before-send"), "worker"
    weight = 2.0

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """A client asks for two of them, where there are machines."""
        if site.machines is not None:
            site.users.demand(site.machines.reboots(rng))
        return []


@register
class FrozenAtPoint(AtPoint):
    """A pool process stands still at a point until others have taken over, and goes on there."""

    name, rows = "frozen-at-point", ("RF5", "DF3")
    points, role, action = (*WORK, "publish.before"), "worker", "freeze"
    frozen_s = LEASE_S + 3.0
    lasts_s = (frozen_s, frozen_s)
    weight = 2.0


class TakingOver(AtPoint):
    """Something happens to the reconciler that takes over from a lost worker."""

    rows = ("RF4", "DF12")
    points: ClassVar[tuple[str, ...]] = TAKE_OVER
    role = "reconciler"

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """A Celery main dies with its pool: only a reconciler can notice."""
        mains = site.processes("worker")
        return kill(family(rng.choice(mains))) if mains else []


@register
class ReconcilerKilledTakingOver(TakingOver):
    """A reconciler dies around the decision about a worker that it has missed."""

    name = "reconciler-killed-taking-over"


@register
class ReconcilerFrozenAtPoint(TakingOver):
    """A reconciler stands still in the middle of a decision, with the rows locked."""

    name, action = "reconciler-frozen-at-point", "freeze"
    points = (*LOOK, *TAKE_OVER)
    frozen_s = LEASE_S + 3.0
    lasts_s = (frozen_s, frozen_s)


@register
class ReconcilerKilledFiring(AtPoint):
    """A reconciler dies around the commit that starts a run of a schedule, which is due every second."""

    name, rows = "reconciler-killed-firing", ("DF13",)
    points, role = FIRING, "reconciler"
    lasts_s = (3.0, 8.0)

    def __init__(self) -> None:
        self._schedule = new_id("sch")

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Where no process passes in time the schedule ends, too: it would start runs during the verdict."""
        struck = super().strike(site, rng)
        if struck is None:
            self.heal(site)
        return struck

    def provoke(self, site: Site, control: Control, rng: Random) -> list[int]:
        """There is such a schedule from now on."""

        def plant(tx: Tx) -> None:
            when = {"every_ms": 1_000, "anchor_at": tx.now, "next_due_at": tx.now + 1_000, "timezone": "UTC"}
            how = {"overlap": "allow", "catch_up": "all", "catch_up_limit": 100}
            what = {"type": "chaos.fused", "input": {}, "name": self._schedule, "created_by": "usr_chaos"}
            schedules.insert_schedule(tx, {"id": self._schedule, **what, **when, **how})

        site.db.write(plant, patience_s=30)
        return []

    def heal(self, site: Site) -> None:
        """It is due no longer."""
        site.db.write(
            lambda tx: schedules.note_turn(tx, self._schedule, {"paused_at": tx.now}), patience_s=30
        )


class Conflicts(Fault):
    """Statements or commits fail with the error of a busy database."""

    needs = INSIDE
    beat = "weather"
    points: ClassVar[tuple[str, ...]] = ("sql.statement", "sql.commit")
    probability: ClassVar[float] = 0.005
    times: ClassVar[int] = ENDLESS
    lasts_s = (4.0, 12.0)

    def __init__(self) -> None:
        self._armed: list[str] = []

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Arm them in every process; counts once a statement has failed."""
        control, seed, states = arms.of(site.folder), rng.randrange(1 << 30), self.states(rng)
        self._armed = [
            control.arm(
                Arm(point=point, action=state, times=self.times, probability=self.probability, seed=seed)
            )
            for point in self.points
            for state in states
        ]
        if not within(HIT_S, lambda: any(control.hits(name) for name in self._armed)):
            self.heal(site)
            return None
        return self.injection(f"{', '.join(states)} with p = {self.probability}")

    def states(self, rng: Random) -> tuple[str, ...]:
        """The error of the database."""
        return CONFLICTS

    def heal(self, site: Site) -> None:
        """As before."""
        for name in self._armed:
            arms.of(site.folder).disarm(name)
        self._armed = []


@register
class StatementsFail(Conflicts):
    """One statement of 200 fails."""

    name, rows, backends = "statements-fail", ("RF10",), (POSTGRES,)
    weight = 2.0


@register
class SqliteStatementsFail(Conflicts):
    """One statement of 200 finds the database locked."""

    name, rows, backends = "sqlite-statements-fail", ("RF12",), (SQLITE,)

    def states(self, rng: Random) -> tuple[str, ...]:
        """SQLite has one word for all of it."""
        return ("locked",)


@register
class OneStatementFails(Conflicts):
    """The very next statements of one kind fail, whichever process runs them."""

    name, rows, backends = "one-statement-fails", ("RF10",), (POSTGRES,)
    probability, times = 1.0, 3
    lasts_s = (0.0, 0.0)

    def states(self, rng: Random) -> tuple[str, ...]:
        """One conflict for all of them."""
        return (rng.choice(CONFLICTS),)
