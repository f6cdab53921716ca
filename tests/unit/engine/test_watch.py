"""A look that takes long is told while it lasts, and for a while after."""

from app.engine.reconciler.watch import TOLD_S, Watch
from tests.unit.engine.clocks import Clock


def test_a_look_that_is_quick_is_not_told() -> None:
    watch = Watch(Clock())
    with watch.looking("messages"):
        pass
    assert watch.slow() == {}


def test_a_look_that_does_not_end_is_told() -> None:
    clock = Clock()
    watch = Watch(clock)
    with watch.looking("messages"):
        clock.now += 7
        assert watch.slow() == {"messages": 7_000}


def test_a_look_that_took_long_is_told_for_a_minute() -> None:
    clock = Clock()
    watch = Watch(clock)
    with watch.looking("messages"):
        clock.now += 7
    assert watch.slow() == {"messages": 7_000}
    clock.now += TOLD_S
    assert watch.slow() == {}
