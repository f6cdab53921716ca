"""The smallest scenarios that show the planted bugs: a few runs, and the faults that lie on their path.

On a healthy service every one of them ends without a finding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from app.domain.plan import Segment
from app.wiring import celery_app, message_key_of
from chains import canvas
from tests.chaos.bugs import interference, takers
from tests.chaos.bugs.authored import code_workflows
from tests.chaos.bugs.receiver import Receiver
from tests.chaos.bugs.stage import Missed, Stage
from tests.chaos.checks.deliveries import taken
from tests.chaos.fault import WITH_WEBHOOKS, Setting
from tests.chaos.faults.waiting import within
from tests.chaos.points.struck import FIRING

POINTS = Setting(inside=("tests.chaos.points.inside", "tests.chaos.bugs.witness"))
SKEWED = Setting(inside=(*POINTS.inside, "tests.chaos.bugs.skew"))
LISTENING = Setting(
    inside=POINTS.inside,
    env=WITH_WEBHOOKS,
)
SCHEDULES = "/v1/schedules"
TWO_RELEASES = Setting(inside=(*POINTS.inside, "tests.chaos.bugs.older"))
AWAY = Setting(inside=POINTS.inside, proxied=True, env={"WINDLASS_LEASE_MS": str(takers.LEASE_MS)})
FEW = Setting(inside=POINTS.inside, env={"WINDLASS_WORKER_PROCESSES": "1"})
AUTHORED = Setting(inside=POINTS.inside, code=True)
LONG_MS = 12_000  # A step that is longer than the lease.
LATE_S = 14.0  # A freeze that ends when another worker has the step, and before its run ends.


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is played, and what the site must have been started with."""

    name: str
    play: Callable[[Stage], None]
    setting: Setting = field(default_factory=lambda: POINTS)
    faultless: bool = False  # Whether the work itself is what is hard.
    alone: bool = False  # Whether its setting would stand in the way of the other scenarios.

    @property
    def about(self) -> str:
        """What happens in it, in a sentence."""
        return str(self.play.__doc__)


def frozen(stage: Stage) -> None:
    """Workers freeze in a step until others have taken it over, and then go on."""
    ids = [stage.start("line", pace=2_500) for _ in range(2)]
    sleepers = [stage.freeze_holder(stage.runs_step(one, "one")) for one in ids]
    try:
        for run_id, sleeper in zip(ids, sleepers, strict=True):
            stage.runs_step(run_id, "one", fence=2)
            stage.wake(sleeper)
    finally:
        for sleeper in sleepers:
            stage.wake(sleeper)
    stage.ends()


def killed(stage: Stage) -> None:
    """Workers are killed in the middle of a step, one after the other."""
    for _ in range(5):
        run_id = stage.start("line", pace=500)
        stage.kill_holder(stage.runs_step(run_id, "two"))
    stage.ends()


def an_order_is_lost(stage: Stage) -> None:
    """Workers are killed after they have sent an order that must never be sent twice."""
    seen, blind = stage.start("once", pace=1_200), stage.start("once", pace=1_200, blind=True)
    for run_id in (seen, blind):
        row = stage.runs_step(run_id, "once")
        stage.until(lambda run_id=run_id: stage.has_done(run_id, "once"), "the order was sent")  # type: ignore[misc]
        stage.kill_holder(row)
    within(20, lambda: stage.row(blind)["status"] in ("blocked", "failed"))
    stage.act(blind, "resolve")
    stage.ends()


def an_order_is_late(stage: Stage) -> None:
    """A worker freezes before it sends an order until another one has sent it, and then goes on."""
    froze = stage.arm("body.begin", "freeze", where="step=once", seconds=LATE_S)
    run_id = stage.start("once", pace=2_000)
    stage.struck(froze, "froze a worker that was about to send an order")
    stage.runs_step(run_id, "once", fence=2)
    stage.ends()


def failing(stage: Stage) -> None:
    """Steps fail after their effect, and a worker is killed in the middle of an undo."""
    ids = [stage.start("line", fails=fails, pace=300) for fails in (3, 5)]
    ids.append(stage.start("fused", fails=4, pace=300, stiff=True))
    stage.kill_holder(stage.runs_step(ids[0], "two", "comp"))
    stage.ends()


def dropped(stage: Stage) -> None:
    """All workers die, and the messages that wait for the next ones are deleted from their queue."""
    queue, deleted = f"{stage.site.settings.redis_prefix}default", 0

    def delete() -> bool:
        nonlocal deleted
        deleted += int(stage.site.redis.llen(queue))
        stage.site.redis.delete(queue)
        return False

    for role in ("host", "worker", "child"):
        stage.kill_all(role)
    for _ in range(4):
        stage.start("fused")
    within(2, delete)
    if not deleted:
        raise Missed("no message waited")
    stage.hit(f"deleted {deleted} messages", scope="broker")
    stage.ends(45)


def poisoned(stage: Stage) -> None:
    """Steps kill every worker that runs them, and the reconcilers die as well."""
    ids = [stage.start("poison") for _ in range(3)]
    for _ in range(3):
        deaths = sum(len(stage.site.ledger.of_run(one)) for one in ids)
        within(6, lambda deaths=deaths: sum(len(stage.site.ledger.of_run(one)) for one in ids) > deaths)  # type: ignore[misc]
        stage.kill_all("reconciler")
    stage.ends(40)


def late_clocks(stage: Stage) -> None:
    """The clocks of all workers are an hour late."""
    stage.hit("the workers were started with clocks that are an hour late", scope="broker")
    for _ in range(3):
        stage.start("line", pace=1_600)
    stage.ends(60)


def long_step(stage: Stage) -> None:
    """A step takes longer than its lease, and its worker lives."""
    run_id = stage.start("fused", pace=LONG_MS)
    within(
        30, lambda: stage.step(run_id, "one")["status"] == "completed" or stage.step(run_id, "one")["lost"]
    )
    stage.cancel(run_id, mode="abandon")
    stage.ends(40)


def replayed(stage: Stage) -> None:
    """A message of an older generation comes again, at the moment when its step is free."""
    run_id = stage.start("line", pace=600)
    stage.kill_holder(stage.runs_step(run_id, "one"))
    stage.runs_step(run_id, "two")
    asleep = stage.arm("settle.after-commit", "freeze", seconds=2.0, role="worker")
    stage.struck(asleep, "froze the worker that had settled, before its chain went on")
    stage.until(lambda: stage.step(run_id, "two")["status"] == "completed", "two is settled")
    _publish(stage, run_id, "three", gen=1)
    stage.ends()


def _publish(stage: Stage, run_id: str, key: str, *, gen: int) -> None:
    """Publish a message as it was published for an earlier generation."""
    segment = Segment(first=key, last=key, queue=stage.step(run_id, key)["queue"], limit_ms=60_000)
    app = celery_app(stage.site.settings, worker=False)
    sign = message_key_of(stage.site.db).sign
    canvas.publish(app, sign, run_id=run_id, type_="replayed", phase="forward", gen=gen, segments=[segment])


def api_dies(stage: Stage) -> None:
    """The API dies after it has stored a run and before it answers; clients ask again."""
    for _ in range(4):
        died = stage.arm("accept.after-commit", "kill", role="api")
        stage.start("line", pace=20)
        stage.struck(died, "killed a process of the API after its commit")
    stage.ends()


def refused(stage: Stage) -> None:
    """The database refuses events, as it does when two transactions got into each other's way."""
    again = stage.arm("sql.statement", "40001", times=4, role="worker", where="sql=INSERT INTO event")
    for number in range(6):
        stage.start("line", fails=2 + number % 2, pace=20)
    stage.struck(again, "refused to insert events", scope="database")
    stage.ends()


def slow_commits(stage: Stage) -> None:
    """Every commit takes a tenth of a second, as on a busy disk."""
    server = stage.site.postgres
    assert server is not None, "this scenario needs PostgreSQL"
    _set(server, commit_siblings="0", commit_delay="100000")
    stage.hit("every commit takes 100 ms longer", scope="database")
    try:
        for number in range(4):  # One after the other: no reconciler comes by that would find the next.
            stage.start("locked", resource=f"slow-{number}")
            stage.ends()
    finally:
        _set(server, commit_siblings="5", commit_delay="0")


def _set(server: Any, **settings: str) -> None:
    for name, value in settings.items():
        server.execute(f"ALTER SYSTEM SET {name} = {value}")
    server.execute("SELECT pg_reload_conf()")


def hooks(stage: Stage) -> None:
    """A hook is called twice at once with different words, and the worker of its operation is killed."""
    for number in range(4):
        run_id = stage.start("job", hook=True, pace=50)
        path = stage.until(lambda run_id=run_id: _hook_of(stage, run_id), "the hook is known")  # type: ignore[misc]
        calls = [
            Thread(target=stage.ask, args=("hook", path, {"word": word, "number": number})) for word in "ab"
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
    stage.kill_all("child")
    stage.ends()


def _hook_of(stage: Stage, run_id: str) -> str | None:
    began = stage.noted("began", run_id)
    return None if began is None else "/v1/hooks/" + str(began.value).rpartition("/")[2]


def locks(stage: Stage) -> None:
    """Runs stand in line for two resources; the workers of those that hold them are killed."""
    ids = [stage.start("locked", resource=f"{stage.name}-{number % 2}", pace=500) for number in range(6)]
    for run_id in ids[:2]:
        stage.kill_holder(stage.runs_step(run_id, "two"))
    stage.ends(40)


def deliveries(stage: Stage) -> None:
    """A receiver redirects every webhook at first; workers die right after their commits."""
    with Receiver() as receiver, stage.subscribed(receiver.url):
        died = stage.arm("settle.after-commit", "kill", times=4, role="worker")
        for _ in range(6):
            stage.start("line", pace=100)
        stage.struck(died, "killed workers after their commit")
        stage.ends()
        within(30, lambda: all(one["status"] == "delivered" for one in stage.deliveries()))
        stage.findings += taken(stage.deliveries(), receiver.answers)
        stage.judge_now()


def schedules(stage: Stage) -> None:
    """A schedule is due every second; reconcilers are killed before and after they commit what was due."""
    wanted = {"name": f"{stage.name} {stage.rng.random()}", "type": "chaos.fused", "everyMs": 1_000}
    made = stage.ask("schedule", SCHEDULES, {**wanted, "overlap": "allow", "catchUp": "all"})
    for point in FIRING:
        died = stage.arm(point, "kill", role="reconciler")
        stage.struck(died, f"killed a reconciler at {point}")
    stage.ask("schedule", f"{SCHEDULES}/{made.run_id}/pause", {})
    stage.runs += stage.started_by(f"schedule/{made.run_id}")
    stage.ends()


SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(name="frozen", play=frozen),
        Scenario(name="killed", play=killed),
        Scenario(name="an order is lost", play=an_order_is_lost),
        Scenario(name="an order is late", play=an_order_is_late),
        Scenario(name="failing", play=failing),
        Scenario(name="dropped", play=dropped),
        Scenario(name="poisoned", play=poisoned),
        Scenario(name="late clocks", play=late_clocks, setting=SKEWED),
        Scenario(name="long step", play=long_step, faultless=True),
        Scenario(name="replayed", play=replayed),
        Scenario(name="API dies", play=api_dies),
        Scenario(name="refused", play=refused),
        Scenario(name="slow commits", play=slow_commits),
        Scenario(name="hooks", play=hooks),
        Scenario(name="locks", play=locks),
        Scenario(name="deliveries", play=deliveries, setting=LISTENING),
        Scenario(name="schedules", play=schedules),
        Scenario(name="code workflows", play=code_workflows, setting=AUTHORED),
        Scenario(name="a row is held", play=interference.row_is_held),
        Scenario(name="callbacks lie", play=interference.callbacks_lie),
        Scenario(name="two releases", play=interference.two_releases, setting=TWO_RELEASES, alone=True),
        Scenario(name="emptied with a backlog", play=interference.emptied_with_a_backlog),
        Scenario(name="one byte", play=takers.one_byte),
        Scenario(name="idle sessions end", play=takers.idle_sessions_end),
        Scenario(name="few descriptors", play=takers.few_descriptors),
        Scenario(name="slow receivers", play=takers.slow_receivers, setting=LISTENING),
        Scenario(name="doubled and away", play=takers.doubled_and_away, setting=AWAY, alone=True),
        Scenario(name="runs behind members", play=interference.runs_behind_members, setting=FEW, alone=True),
    )
}
