"""Reading back waits as long as it must, and no longer."""

from app.providers.bmc.confirm import becomes
from app.providers.bmc.target import took


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_what_holds_at_once_needs_no_sleep() -> None:
    clock = Clock()
    assert becomes(lambda: True, 0.0, clock=clock, sleep=clock.sleep)
    assert clock.now == 0


def test_what_comes_in_time_is_seen_within_a_second() -> None:
    clock = Clock()
    assert becomes(lambda: clock.now >= 7, 10.0, clock=clock, sleep=clock.sleep)
    assert 7 <= clock.now <= 8


def test_what_never_comes_is_asked_once_more_at_the_end() -> None:
    clock, asked = Clock(), set[float]()

    def holds() -> bool:
        asked.add(clock.now)
        return False

    assert not becomes(holds, 3.0, clock=clock, sleep=clock.sleep)
    assert max(asked) == clock.now == 3.0


def test_a_boot_choice_may_stay_longer_than_ordered_but_not_shorter() -> None:
    assert took(("network", True), ("network", False))
    assert not took(("network", False), ("network", True))
    assert took(("default", False), ("default", True))
    assert not took(("disk", True), ("network", True))
