"""Reaching a power state on machines that need minutes for it, and refuse what they do already."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc.confirm import becomes
from app.providers.bmc.target import PowerState

Fail = Callable[[type[BmcError], str, str], BmcError]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a controller says of the power: what is, what it is becoming; neither where we have no word."""

    shown: PowerState | None = None  # What people are told: a machine on its way is not there yet.
    settled: PowerState | None = None
    becoming: PowerState | None = None

    def needs_no_order(self, state: PowerState) -> bool:
        """Whether the machine is in this state, or gets there by itself."""
        return state in (self.settled, self.becoming)


ON = Reading(shown="on", settled="on")
OFF = Reading(shown="off", settled="off")
POWERING_ON = Reading(shown="off", becoming="on")
POWERING_OFF = Reading(shown="on", becoming="off")
PAUSED = Reading(shown="on")  # It has power and computes nothing.
UNKNOWN = Reading()


@dataclass(frozen=True, kw_only=True)
class Switch:
    """How one driver reads the power, sends its order, knows a refusal, and words a failure."""

    read: Callable[[], Reading]  # Anew, each time.
    order: Callable[[], None]
    refusals: tuple[type[Exception], ...]
    fail: Fail

    def order_unless(self, state: PowerState, now: Reading) -> None:
        """Send the order, unless it is so already. A refusal because it is so already is none."""
        if now.needs_no_order(state):
            return
        try:
            self.order()
        except self.refusals:
            after = self.read()
            if after.needs_no_order(state):
                return
            if after.becoming is not None:  # First it has to end what it does.
                raise self.fail(BmcRefused, "on_its_way", f"powering {after.becoming}") from None
            raise

    def reach(self, state: PowerState, now: Reading, within: float) -> None:
        """Send the order and read back until it is so; one on its way then is looked at later."""
        self.order_unless(state, now)
        if becomes(lambda: self.read().settled == state, within):
            return
        if self.read().becoming == state:
            raise self.fail(BmcUnconfirmed, "on_its_way", f"not {state} after {within:g} s")
        raise self.fail(BmcUnconfirmed, "unconfirmed", f"not {state} after {within:g} s")
