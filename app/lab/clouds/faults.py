"""The faults of a simulated cloud.

dead        no answer at all
slow        seconds before each answer (the order itself is carried out at once)
drop        request or answer: that one of every order is lost
throttle    share (0 to 1) of calls refused with 429, or RequestLimitExceeded
retryAfter  what a throttled answer asks for, in seconds
noCapacity  zones or plans that have no room
quota       at most that many servers
late        seconds until a new server is listed
stuck       servers stay pending, or in maintenance, and never go
dies        seconds after which a running server stops by itself
twins       an order makes a second server beside the first; idempotency tokens are ignored
lies        orders for servers are accepted, and nothing is made
badAuth     every login is refused
html        every answer is a page of a proxy
failTimes   with any of them: after they have applied that many times, all faults end
seed        makes the share of ``throttle`` repeatable
"""

from dataclasses import dataclass

from app.lab import active_faults
from app.lab.active_faults import names, one_of, seconds, share, switch, whole


@dataclass(frozen=True, kw_only=True)
class Faults(active_faults.Faults):
    """The faults of one cloud; none by default."""

    dead: bool = switch()
    slow: float = seconds()
    drop: str = one_of("", "request", "answer")
    throttle: float = share()
    retry_after: int | None = whole(1)
    no_capacity: tuple[str, ...] = names("zones or plans")
    quota: int | None = whole(None)
    late: float = seconds()
    stuck: bool = switch()
    dies: float = seconds()
    twins: bool = switch()
    lies: bool = switch()
    bad_auth: bool = switch()
    html: bool = switch()
