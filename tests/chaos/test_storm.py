"""A storm goes on until every row was struck: how soon a fault can be injected decides nothing."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from tests.chaos import storm as storms
from tests.chaos.fault import Fault, Injection
from tests.chaos.schedule import Strike
from tests.chaos.site import Site
from tests.chaos.storm import Storm
from tests.support.servers import until


class Rare(Fault):
    """Finds its moment at the third attempt."""

    name, rows = "rare", ("RF1",)
    attempts: ClassVar[list[Random]] = []

    def strike(self, site: Site, rng: Random) -> Injection | None:
        self.attempts.append(rng)
        return self.injection("found it") if len(self.attempts) == 3 else None


class Long(Rare):
    """Is under way for as long as it shall, and lets no other of its kind begin."""

    name, rows, alone = "long", ("RF2",), True

    def strike(self, site: Site, rng: Random) -> Injection | None:
        return self.injection("under way")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    Rare.attempts.clear()
    for name in ("AGAIN_S", "TOO_LATE_S", "ALONE_S"):
        monkeypatch.setattr(storms, name, 0.0)


def storm(folder: Path, strikes: Sequence[Strike], rows: Sequence[str]) -> Storm:
    site: Any = SimpleNamespace(folder=folder)
    return Storm(site, {"rare": Rare(), "long": Long()}, strikes, seed=1, say=lambda _text: None, rows=rows)


def strike(fault: str, lasts_s: float = 0.0) -> Strike:
    return Strike(number=1, at_s=0.0, fault=fault, lasts_s=lasts_s)


def tended(one: Storm) -> Storm:
    one.tend()
    return one


def test_a_fault_that_finds_nothing_to_strike_is_tried_again_until_its_row_was_struck(tmp_path: Path) -> None:
    weather = storm(tmp_path, [strike("rare")], ["RF1"])
    assert weather.missing == {"RF1"}
    until(lambda: not tended(weather).missing)
    assert (len(Rare.attempts), weather.refused["rare"]) == (3, 2)


def test_a_fault_whose_row_was_struck_already_is_tried_once(tmp_path: Path) -> None:
    weather = storm(tmp_path, [strike("rare")], [])
    until(lambda: tended(weather).refused["rare"])
    weather.calm()
    assert (len(Rare.attempts), weather.missing) == (1, set())


def test_a_fault_that_others_keep_waiting_is_not_dropped_while_its_row_needs_it(tmp_path: Path) -> None:
    weather = storm(tmp_path, [strike("long", lasts_s=0.2), strike("rare")], ["RF1", "RF2"])
    until(lambda: not tended(weather).missing)
    assert {one.fault for one in weather.injections} == {"long", "rare"}


def test_a_row_that_no_fault_of_the_schedule_covers_keeps_no_campaign_waiting(tmp_path: Path) -> None:
    assert storm(tmp_path, [strike("rare")], ["RF1", "RF99"]).missing == {"RF1"}
