"""A rule that is slow is reported while it runs, and for a while after."""

from app.engine.reconciler.watch import REPORTED_S, Watch
from tests.unit.engine.clocks import Clock


def test_a_quick_rule_is_not_reported() -> None:
    watch = Watch(Clock())
    with watch.timed("messages"):
        pass
    assert watch.slow() == {}


def test_a_rule_that_does_not_end_is_reported() -> None:
    clock = Clock()
    watch = Watch(clock)
    with watch.timed("messages"):
        clock.now += 7
        assert watch.slow() == {"messages": 7_000}


def test_a_slow_rule_is_reported_for_a_minute() -> None:
    clock = Clock()
    watch = Watch(clock)
    with watch.timed("messages"):
        clock.now += 7
    assert watch.slow() == {"messages": 7_000}
    clock.now += REPORTED_S
    assert watch.slow() == {}
