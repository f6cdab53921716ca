"""The schedule of a campaign is a function of its seed, and gives every fault its turn."""

from itertools import pairwise
from random import Random

from tests.chaos.fault import Fault, Injection
from tests.chaos.schedule import Beat, schedule
from tests.chaos.site import Site
from tests.chaos.workload.mix import Mix


class Kill(Fault):
    name, rows, weight = "kill", ("RF1",), 3.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        return None


class Freeze(Fault):
    name, rows, lasts_s = "freeze", ("RF5",), (2.0, 4.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        return None


KNOWN: dict[str, Fault] = {"kill": Kill(), "freeze": Freeze()}
BEATS = (Beat(every_s=2.0, faults=("kill", "freeze")), Beat(every_s=5.0, faults=("freeze",)))


def test_a_seed_gives_the_same_strikes_again_and_another_seed_others() -> None:
    assert schedule(7, BEATS, KNOWN, 100) == schedule(7, BEATS, KNOWN, 100)
    assert schedule(7, BEATS, KNOWN, 100) != schedule(8, BEATS, KNOWN, 100)


def test_a_beat_strikes_about_as_often_as_it_is_set_to() -> None:
    strikes = schedule(7, BEATS[:1], KNOWN, 200)
    assert 80 <= len(strikes) <= 120
    assert all(one.at_s < two.at_s for one, two in pairwise(strikes))


def test_every_fault_has_its_turn_and_heavier_ones_have_more() -> None:
    names = [one.fault for one in schedule(7, BEATS[:1], KNOWN, 16)]
    assert (names[:4].count("kill"), names[:4].count("freeze")) == (3, 1)


def test_a_fault_lasts_as_long_as_it_may() -> None:
    lasts = {one.fault: one.lasts_s for one in schedule(7, BEATS, KNOWN, 100)}
    assert lasts["kill"] == 0 and 2 <= lasts["freeze"] <= 4


def test_a_fault_that_takes_long_does_not_strike_near_the_end() -> None:
    class Slow(Kill):
        name, needs_s = "slow", 40.0

    strikes = schedule(7, [Beat(every_s=2.0, faults=("slow", "kill"))], {**KNOWN, "slow": Slow()}, 100)
    assert 50 < max(one.at_s for one in strikes if one.fault == "slow") < 60
    assert max(one.at_s for one in strikes if one.fault == "kill") > 90


def test_what_is_asked_for_is_a_function_of_the_seed_too() -> None:
    assert [Mix(3).order(n) for n in range(50)] == [Mix(3).order(n) for n in range(50)]
    assert Mix(3).order(1) != Mix(4).order(1)
