"""What could not be moved is left alone for a little longer each time, and forgotten in the end."""

from app.engine.reconciler.putoff import FORGET_S, MOST_S, PutOff
from tests.unit.engine.clocks import Clock


def test_it_is_left_alone_for_a_while_and_then_tried_again() -> None:
    clock = Clock()
    put_off = PutOff(clock)
    put_off.add("run_1")
    assert put_off.holds("run_1") and not put_off.holds("run_2")
    clock.now += 0.6
    assert not put_off.holds("run_1")


def test_each_time_is_longer_up_to_a_limit() -> None:
    clock, waits = Clock(), []
    put_off = PutOff(clock)
    for _ in range(6):
        put_off.add("run_1")
        before = clock.now
        while put_off.holds("run_1"):
            clock.now += 0.25
        waits.append(clock.now - before)
    assert waits == [0.5, 1.0, 2.0, 4.0, MOST_S, MOST_S]


def test_what_has_moved_counts_no_more() -> None:
    put_off = PutOff(Clock())
    assert [put_off.add("run_1"), put_off.add("run_1")] == [1, 2]
    put_off.done("run_1")
    assert (put_off.times("run_1"), len(put_off)) == (0, 0)


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    clock = Clock()
    put_off = PutOff(clock)
    put_off.add("run_1")
    clock.now += FORGET_S + 1
    put_off.forget_old()
    assert len(put_off) == 0
