"""The races: which transactions meet. One history follows in any order, and the doctor finds nothing."""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from threading import Event
from typing import Any

from app.domain.errors import Rejected
from app.domain.ids import new_id
from app.engine.reconciler import resume
from app.engine.transitions import accept
from app.engine.transitions.accept import Order
from tasks.step import Again
from tests.chaos.races.gate import Gate
from tests.support import probes

Race = Callable[[Gate], None]
TYPES = ("probe.line", "probe.group", "probe.map", "probe.job", "probe.once", "probe.locked")
MODES = ("graceful", "graceful", "kill", "abandon")
WAYS_OUT = ("resume", "compensate", "skip", "resolve")


def cancels_meet_steps(gate: Gate) -> None:
    """Two cancels, at any moment of a run's life: in a body, in a claim, in a settlement, at the end."""
    kind = gate.rng.choice(TYPES)
    own: dict[str, Any] = {"resource_id": "p1"} if kind == "probe.locked" else {}
    items = {"items": [1, 2, 3], "limit": None} if kind == "probe.map" else {}
    run_id = gate.start(kind, items, on_failure=gate.rng.choice(["compensate", "hold"]), **own)
    gate.workers(3)
    for _ in range(2):
        gate.enters(partial(gate.driver.cancel, run_id, mode=gate.rng.choice(MODES)))
    gate.open()


def cancels_meet_the_last_step(gate: Gate) -> None:
    """Two cancels and the settlement of the last step."""
    run_id = gate.start("probe.line")
    gate.driver.drain_until(run_id, "third")
    gate.each_message()
    gate.enters(partial(gate.driver.cancel, run_id, mode=gate.rng.choice(MODES)), 2)
    gate.open()
    status = gate.driver.status(run_id)
    gate.expect(status in ("completed", "cancelled", "cancelling", "compensating"), f"it is {status}")


def the_lost_meet_their_successors(gate: Gate) -> None:
    """A worker that was taken for lost settles, while others take its step over and a client cancels."""
    run_id = gate.start("probe.line")
    probes.BEFORE["second"] = _pause(gate.rng)
    gate.workers(2)
    gate.enters(partial(gate.lose, run_id, "second"), 2)
    gate.enters(partial(gate.lose, run_id, "first"))
    gate.enters(gate.driver.find_lost, 2)
    if gate.rng.random() < 0.3:
        gate.enters(partial(gate.driver.cancel, run_id))
    gate.open()


def two_holders_settle(gate: Gate) -> None:
    """A frozen worker settles at the same moment as the one that has taken its step over."""
    run_id = gate.start("probe.line")
    gate.driver.waiting.clear()
    old = gate.hold(run_id, "first")
    gate.lose(run_id, "first")
    gate.driver.waiting.clear()
    new = gate.hold(run_id, "first")
    for one in (old, new):
        gate.enters(partial(gate.settle, one, {"first_done": one.fence}))
    if gate.rng.random() < 0.3:
        gate.enters(partial(gate.driver.cancel, run_id))
    late, settled = gate.open()[:2]
    gate.expect(late == "fenced", f"the result of a lost attempt was {late}")
    gate.expect(settled != "fenced", "the result of the holder was refused")


def messages_are_doubled(gate: Gate) -> None:
    """Four workers get the same message; the reconciler publishes for it as well."""
    gate.start(gate.rng.choice(["probe.line", "probe.job", "probe.once"]))
    gate.each_message(copies=4)
    gate.enters(gate.driver.find_lost, 2)
    gate.open()


def retries_meet_the_way_back(gate: Gate) -> None:
    """Two retries of a run that is being undone, has just been, or is held."""
    probes.BEFORE["third"] = probes.fails()
    held = gate.rng.random() < 0.3
    old = gate.start("probe.line", on_failure="hold" if held else "compensate")
    gate.driver.drain_until(old, "third")
    if gate.rng.random() < 0.5:
        gate.driver.deliver()
    names = [new_id("run") for _ in range(2)]
    gate.workers(2)
    for name in names:
        start = gate.rng.choice([None, None, "second", "earliest"])
        how: dict[str, Any] = {"earliest": True} if start == "earliest" else {"from_step": start}
        gate.enters(partial(gate.driver.retry, old, fresh=name, **how))
    answers = gate.open()[2:]
    made = [name for name, answer in zip(names, answers, strict=True) if answer == name]
    gate.runs += made
    gate.expect(len(made) <= 1 or not held, "a held run was retried twice")
    live = [one for one in made if gate.driver.run(one)["completed_at"] is None]
    gate.expect(len(live) <= 1, "two retries live")


def a_hook_meets_its_time(gate: Gate) -> None:
    """A hook is called twice with different payloads; poll and limit are due, and a client cancels."""
    probes.POLLS[:] = [Again()] * 2
    run_id = gate.start("probe.job")
    gate.driver.drain()
    token = gate.driver.open_hook(run_id, "job")
    for word in "ab":
        gate.enters(partial(gate.driver.call_hook, token, {"word": word}))
    for purpose in gate.rng.sample(["poll", "deadline"], gate.rng.randint(1, 2)):
        armed = gate.armed(run_id, purpose)
        if armed is not None:
            gate.enters(partial(gate.fire, armed), 2)
    if gate.rng.random() < 0.4:
        gate.enters(partial(gate.driver.cancel, run_id, mode=gate.rng.choice(MODES)))
    gate.workers(1)
    answers = gate.open()[:2]
    accepted = [one for one in answers if isinstance(one, dict)]
    gate.expect(len(accepted) <= 1, "both callers of a hook were accepted")


def the_last_members_meet(gate: Gate) -> None:
    """All members of a fan-out end at once; one comes twice, one is lost, one fails."""
    members = gate.rng.randint(2, 6)
    join = gate.rng.choice(["all", "any", "collect", "two"])
    given = {"items": list(range(members)), "join": join, "limit": gate.rng.choice([None, None, 2])}
    run_id = gate.start("probe.map", given)
    gate.driver.deliver()
    if gate.rng.random() < 0.3:
        probes.BEFORE["visit 0"] = probes.fails()
    gate.each_message(copies=gate.rng.choice([1, 1, 2]))
    if gate.rng.random() < 0.5:
        gate.enters(partial(gate.lose, run_id, "each-item[1].visit"))
    gate.enters(gate.driver.find_lost)
    gate.open()


def many_fight_for_one(gate: Gate) -> None:
    """Runs in line for a resource, while its holder ends or is cancelled and reconcilers hand it out."""
    ids = [gate.start("probe.locked", resource_id="p1", on_conflict="queue") for _ in range(4)]
    gate.workers(2)
    for run_id in gate.rng.sample(ids, 2):
        gate.enters(partial(gate.driver.cancel, run_id, mode=gate.rng.choice(MODES)))
    gate.enters(partial(_grant, gate), 2)
    fresh = new_id("run")
    order = Order(type="probe.locked", resource_id="p1", on_conflict="queue")
    gate.enters(partial(_accept, gate, fresh, order))
    gate.open()
    gate.runs.append(fresh)


def operators_meet(gate: Gate) -> None:
    """Every way out of a held run at once, with a retry and the end of its hold time: one is taken."""
    probes.BEFORE["third"] = probes.fails(1)
    run_id = gate.start("probe.line", on_failure="hold")
    gate.driver.drain()
    for action in WAYS_OUT:
        gate.enters(partial(gate.driver.act, run_id, action))
    fresh = new_id("run")
    gate.enters(partial(gate.driver.retry, run_id, fresh=fresh))
    armed = gate.armed(run_id, "hold")
    if armed is not None:
        gate.enters(partial(gate.fire, armed))
    answers = gate.open()
    if answers[len(WAYS_OUT)] == fresh:
        gate.runs.append(fresh)
    taken = sum(not isinstance(one, Rejected) for one in answers[: len(WAYS_OUT)]) + (fresh in gate.runs)
    gate.expect(taken <= 1, f"{taken} ways out were taken")


def pauses_meet_steps(gate: Gate) -> None:
    """Operators pause and let go while workers are at it."""
    run_id = gate.start(gate.rng.choice(["probe.line", "probe.group", "probe.job"]))
    gate.workers(2)
    for action in ("pause", "unpause", "pause", "unpause"):
        gate.enters(partial(gate.driver.act, run_id, action))
    gate.open()
    if gate.driver.status(run_id) == "paused":
        gate.driver.act(run_id, "unpause")


def one_key_comes_often(gate: Gate) -> None:
    """The same order, with the same key, from four sides."""
    order = Order(type="probe.line", idempotency_key=f"k{gate.rng.randrange(10**9)}")
    names = [new_id("run") for _ in range(4)]
    for name in names:
        gate.enters(partial(_accept, gate, name, order))
    ids = set(gate.open())
    gate.expect(len(ids) == 1, f"one key is {len(ids)} runs")
    gate.runs += [one for one in ids if one is not None]


def _pause(rng: Random) -> Callable[[Any], None]:
    """A body that takes a moment, another one each time."""

    def pause(_ctx: Any) -> None:
        Event().wait(rng.random() * 0.02)

    return pause


def _grant(gate: Gate) -> None:
    gate.driver.publish(gate.db.write(lambda tx: resume.grant_waiting(tx, "probe/p1")))


def _accept(gate: Gate, run_id: str, order: Order) -> str:
    made = accept.at_once(gate.db, run_id, order, "usr_race")
    made = made or gate.db.write(lambda tx: accept.accept(tx, run_id, order, "usr_race"))
    gate.driver.publish(made.messages)
    return made.id


RACES: Mapping[str, Race] = {
    race.__name__.replace("_", " "): race
    for race in (
        cancels_meet_steps,
        cancels_meet_the_last_step,
        the_lost_meet_their_successors,
        two_holders_settle,
        messages_are_doubled,
        retries_meet_the_way_back,
        a_hook_meets_its_time,
        the_last_members_meet,
        many_fight_for_one,
        operators_meet,
        pauses_meet_steps,
        one_key_comes_often,
    )
}
