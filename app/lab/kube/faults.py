"""The faults of an API server, and those that are active.

dead          no answer at all
drop          share (0 to 1) of requests that are lost and never carried out
lose          share of answers to writes that are lost after the write was carried out
hang          what is lost leaves the client waiting, instead of a cut connection
slow          seconds before each answer
errors        share of requests that are answered with ``errorStatus`` (503 unless told), and not carried out
throttle      share of requests that are answered with 429 and ``retryAfter`` seconds (1 unless told)
conflicts     share of updates and patches that are refused as if somebody else had been faster
expired       every token has expired: 401
forbidden     every request is forbidden: 403
watchCut      seconds after which each watch is cut in the middle
watchMute     watches say nothing more, and their connections stay
watchDelay    seconds by which each event is late
unserved      these group versions are not served, as while a definition is replaced: 404 without a Status
gone          watches and lists that want to go on get 410, as the ``answer`` or as an ``event``
verbs         only these verbs suffer (get, list, watch, create, update, patch, delete, deletecollection)
resources     only these resources suffer, by their plural
failTimes     with any of them: after they have applied that many times, all faults end
seed          makes the shares repeatable
"""

from dataclasses import dataclass

from app.lab import active_faults
from app.lab.active_faults import names, one_of, seconds, share, switch, whole
from app.lab.kube.kinds import VERBS


@dataclass(frozen=True, kw_only=True)
class Faults(active_faults.Faults):
    """The faults of one API server; none by default."""

    dead: bool = switch()
    drop: float = share()
    lose: float = share()
    hang: bool = switch()
    slow: float = seconds()
    errors: float = share()
    error_status: int = one_of(503, 500, 502, 504)
    throttle: float = share()
    retry_after: int = whole(1)
    conflicts: float = share()
    expired: bool = switch()
    forbidden: bool = switch()
    watch_cut: float = seconds()
    watch_mute: bool = switch()
    watch_delay: float = seconds()
    unserved: tuple[str, ...] = names("group versions, as in kubevirt.io/v1")
    gone: str = one_of("", "answer", "event")
    verbs: tuple[str, ...] = names("verbs", VERBS)
    resources: tuple[str, ...] = names("plurals")

    def concern(self, verb: str, resource: str) -> bool:
        """Whether the faults concern this request."""
        return (not self.verbs or verb in self.verbs) and (not self.resources or resource in self.resources)


ActiveFaults = active_faults.ActiveFaults[Faults]
