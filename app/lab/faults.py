"""The faults of a BMC, and those that are active.

dead           no answer at all
slow           seconds before each answer (the command itself is carried out at once)
drop           share (0 to 1) of datagrams lost in either direction; over HTTPS, of requests and answers
wrongPassword  every login is refused
whenOff        wrongPassword applies only while the machine is off
lies           power, reset and boot commands are answered with success and do nothing
stalePower     the power reported is the one from before the last change
sessionLimit   at most that many sessions at a time
refuse         power and reset commands are refused (completion code 0xd5, or HTTP 400)
location       how a new Redfish session says where it is: absolute, named (by the BMC's own name), or none
cutBody        answers about the system end early: length (fewer bytes than announced) or chunk
slowPower      seconds that the machine is PoweringOn, or PoweringOff, and refuses the same order (HTTP 409)
already        an order for what is so already is refused (completion code 0xd5, or HTTP 409)
powerWord      Redfish says this of the power: Paused or Reset
systems        a second system beside the host's: baseboard, or silent (503 while the host is off)
padded         the serial number is padded with NUL
thermal        where Redfish has temperatures and fans: subsystem (as newer controllers) instead of Thermal
names          how IPMI packs the first sensor's name: six-bit, bcd or unicode
failTimes      with any of them: after they have applied that many times, all faults end
seed           makes the losses of ``drop`` repeatable
"""

from dataclasses import dataclass

from app.lab import active_faults
from app.lab.active_faults import one_of, seconds, share, switch, whole


@dataclass(frozen=True, kw_only=True)
class Faults(active_faults.Faults):
    """The faults of one BMC; none by default."""

    dead: bool = switch()
    slow: float = seconds()
    drop: float = share()
    wrong_password: bool = switch()
    when_off: bool = switch()
    lies: bool = switch()
    stale_power: bool = switch()
    session_limit: int | None = whole(None)
    refuse: bool = switch()
    location: str = one_of("", "absolute", "named", "none")
    cut_body: str = one_of("", "length", "chunk")
    slow_power: float = seconds()
    already: bool = switch()
    power_word: str = one_of("", "Paused", "Reset")
    systems: str = one_of("", "baseboard", "silent")
    padded: bool = switch()
    thermal: str = one_of("", "subsystem")
    names: str = one_of("", "six-bit", "bcd", "unicode")


class ActiveFaults(active_faults.ActiveFaults[Faults]):
    """The active faults of one BMC."""

    def __init__(self, current: Faults | None = None) -> None:
        super().__init__(current or Faults())

    def delay(self) -> float:
        """Seconds by which the next answer is delayed."""
        slow = self.current.slow
        return slow if self.applies("slow") else 0.0

    def delay_of_power(self) -> float:
        """Additional seconds of the next change of power."""
        slow = self.current.slow_power
        return slow if self.applies("slow_power") else 0.0

    def loses(self) -> bool:
        """Whether the next datagram is lost."""
        return self.applies("drop")

    def full(self, sessions: int) -> bool:
        """Whether there is no room for one more session."""
        limit = self.current.session_limit
        if limit is None or sessions < limit:
            return False
        self.count()
        return True
