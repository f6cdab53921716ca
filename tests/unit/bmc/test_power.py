"""Reaching a power state: what needs no order, what a refusal means, what is worth another look."""

from collections.abc import Iterator

import pytest

from app.domain.errors import BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc import power
from app.providers.bmc.power import OFF, ON, PAUSED, POWERING_OFF, POWERING_ON, UNKNOWN, Reading, Switch


class Refusal(Exception):
    """What a driver raises when an order is refused."""


def switch(readings: list[Reading], sent: list[str], *, refuses: bool = False) -> Switch:
    """A machine that reads so, one reading after the other, the last one for ever."""
    left: Iterator[Reading] = iter(readings)
    last = readings[-1]

    def order() -> None:
        sent.append("order")
        if refuses:
            raise Refusal

    def fail(kind: type[BmcError], reason: str, hint: str) -> BmcError:
        return kind(hint, reason=reason)

    return Switch(read=lambda: next(left, last), order=order, refusals=(Refusal,), fail=fail)


@pytest.mark.parametrize("now", [ON, POWERING_ON])
def test_what_is_or_becomes_so_needs_no_order(now: Reading) -> None:
    sent: list[str] = []
    switch([ON], sent).reach("on", now, within=1.0)
    assert sent == []


@pytest.mark.parametrize("now", [OFF, POWERING_OFF, PAUSED, UNKNOWN])
def test_an_order_is_given_in_every_other_state(now: Reading) -> None:
    sent: list[str] = []
    switch([ON], sent).reach("on", now, within=1.0)
    assert sent == ["order"]


@pytest.mark.parametrize("after", [ON, POWERING_ON])
def test_a_refusal_because_it_is_so_already_is_none(after: Reading) -> None:
    switch([after, ON], [], refuses=True).reach("on", OFF, within=1.0)


def test_a_refusal_while_it_does_the_opposite_is_worth_another_attempt() -> None:
    with pytest.raises(BmcRefused) as refused:
        switch([POWERING_OFF], [], refuses=True).reach("on", OFF, within=0.0)
    assert refused.value.details["reason"] == "on_its_way"


def test_any_other_refusal_stays_one() -> None:
    with pytest.raises(Refusal):
        switch([OFF], [], refuses=True).reach("on", OFF, within=0.0)


@pytest.mark.parametrize(("after", "reason"), [(POWERING_ON, "on_its_way"), (OFF, "unconfirmed")])
def test_what_is_on_its_way_is_told_from_what_did_not_change(after: Reading, reason: str) -> None:
    with pytest.raises(BmcUnconfirmed) as failed:
        switch([after], []).reach("on", OFF, within=0.0)
    assert failed.value.details["reason"] == reason


def test_a_machine_on_its_way_is_shown_as_not_there_yet() -> None:
    assert [one.shown for one in (power.POWERING_ON, power.POWERING_OFF, UNKNOWN)] == ["off", "on", None]
