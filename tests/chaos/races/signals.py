"""Races of code workflows: signals, their times, cancels, workers that come twice, children that end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.record.runs import code_runs
from app.record.service import definitions
from app.record.session import Tx
from tests.chaos.races.gate import Gate
from tests.support.driver import announced
from windlass import Context, workflow

MOST_WAITS = 6  # Of all runs of one race together, one after the other.


@workflow("race.signal")
def waits(ctx: Context) -> Any:
    """A signal, or its timeout, and another signal of the same name."""
    first = ctx.wait_for_signal("word", timeout="1h", default="late")
    ctx.step("between", lambda: None)
    return [first, ctx.wait_for_signal("word", timeout="1h", default="late")]


@workflow("race.child")
def leaf(ctx: Context) -> Any:
    """A child that waits as well."""
    return ctx.wait_for_signal("word", timeout="1h", default="late")


@workflow("race.parent")
def parent(ctx: Context) -> Any:
    """Two children at once, and a step."""
    return ctx.parallel([ctx.child(leaf), ctx.child(leaf), ctx.call("step", int)])


def a_signal_meets_its_time(gate: Gate) -> None:
    """Two signals, one of them sent twice, the timeout of the wait, a cancel: each is taken at most once."""
    run_id = started(gate, waits)
    gate.driver.drain()
    for word in "ab":
        gate.enters(partial(gate.driver.signal, run_id, "word", word, key=word), 1 + (word == "a"))
    armed = gate.armed(run_id, "deadline")
    if armed is not None and gate.rng.random() < 0.7:
        gate.enters(partial(gate.fire, armed), 2)
    if gate.rng.random() < 0.4:
        gate.enters(partial(gate.driver.cancel, run_id))
    gate.workers(2)
    gate.open()
    ends(gate)
    received = received_by(gate, run_id)
    gate.expect(len(set(received)) == len(received), f"a signal was received twice: {received}")
    if gate.driver.status(run_id) == "completed":
        given = [one for one in gate.driver.result(run_id) if one != "late"]
        gate.expect(given == received, f"the function was given {given}, the record has {received}")


def children_meet_their_parent(gate: Gate) -> None:
    """Two children and a step of one parent end at once; one child is signalled twice, a client cancels."""
    run_id = started(gate, parent)
    gate.driver.deliver()
    gate.driver.drain()
    children = gate.driver.db.read(lambda tx: [row["id"] for row in code_runs.children(tx, run_id)])
    gate.runs += children
    for child in children:
        gate.enters(partial(gate.driver.signal, child, "word", "go", key="go"), 2)
    if gate.rng.random() < 0.3:
        gate.enters(partial(gate.driver.cancel, gate.rng.choice([run_id, *children])))
    gate.workers(2)
    gate.open()
    ends(gate)
    if gate.driver.status(run_id) == "completed":
        gate.expect(gate.driver.result(run_id) == ["go", "go", 0], f"it gave {gate.driver.result(run_id)}")


def workers_meet_in_an_advance(gate: Gate) -> None:
    """Four workers get the message that advances one run; one is taken for lost, and a signal comes."""
    run_id = started(gate, waits)
    gate.each_message(copies=4)
    gate.enters(partial(gate.lose, run_id, "main"), 2)
    gate.enters(partial(gate.driver.signal, run_id, "word", "a", key="a"), 2)
    gate.enters(gate.driver.find_lost, 2)
    gate.open()
    ends(gate)


def ends(gate: Gate) -> None:
    """Every lost worker is found, and no wait lasts for ever."""
    for _ in range(MOST_WAITS):
        gate.come_to_rest()
        armed = [one for one in (gate.armed(run_id, "deadline") for run_id in gate.runs) if one is not None]
        if not armed:
            return
        for one in armed:
            gate.fire(one)


def started(gate: Gate, definition: Any) -> str:
    """A run of a code workflow that is looked after until the end."""
    gate.db.write(_announce)
    run_id = gate.driver.trigger(definition)
    gate.runs.append(run_id)
    return str(run_id)


def _announce(tx: Tx) -> None:
    for one in (waits, leaf, parent):
        definitions.announce(tx, one.name, one.version, *announced(one))


def received_by(gate: Gate, run_id: str) -> list[Any]:
    """What the waits of a run gave."""
    rows = gate.driver.steps(run_id).values()
    return [row["output"]["value"] for row in rows if row["kind"] == "signal" and row["output"]]


CODE_RACES: Mapping[str, Callable[[Gate], None]] = {
    race.__name__.replace("_", " "): race
    for race in (a_signal_meets_its_time, children_meet_their_parent, workers_meet_in_an_advance)
}
