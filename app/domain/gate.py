"""How often an account of a provider may be asked: a bucket of calls that shrinks at every complaint.

Pure: rows and the time in, rows and the time to wait out. Rates and tokens are in thousandths of a call.
"""

from dataclasses import dataclass, replace

CALL = 1_000  # One call.
LEAST_RATE = 100  # However much a provider complains: one call in ten seconds.
LONGEST_CLOSED_MS = 300_000
MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator allows."""

    at_once: int
    a_second: int

    @property
    def rate(self) -> int:
        """The full rate."""
        return self.a_second * CALL


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One account's gate."""

    tokens: int
    refilled_at: int
    rate: int
    rate_at: int
    closed_until: int = 0

    @classmethod
    def fresh(cls, limits: Limits, now: int) -> "Gate":
        """Full, and at the full rate."""
        return cls(tokens=limits.rate, refilled_at=now, rate=limits.rate, rate_at=now)

    def at(self, limits: Limits, now: int) -> "Gate":
        """As time has changed it: the rate recovers by a tenth of the full one a minute."""
        minutes = max(0, now - self.rate_at) / MINUTE_MS
        rate = min(limits.rate, round(self.rate + limits.rate * minutes / 10))
        came = max(0, now - self.refilled_at) * rate // 1_000
        # Seconds of silence must not allow a burst that the provider has just complained about.
        most = max(CALL, rate)
        return replace(self, tokens=min(most, self.tokens + came), refilled_at=now, rate=rate, rate_at=now)

    def enter(self, limits: Limits, now: int, under_way: int) -> tuple["Gate", int]:
        """The gate after one more call, and 0; or as it is, and how many milliseconds to wait."""
        gate = self.at(limits, now)
        if gate.closed_until > now:
            return gate, gate.closed_until - now
        if under_way >= limits.at_once:
            return gate, max(1, 1_000 // limits.a_second)
        if gate.tokens < CALL:
            return gate, max(1, (CALL - gate.tokens) * 1_000 // gate.rate)
        return replace(gate, tokens=gate.tokens - CALL), 0

    def throttled(self, limits: Limits, now: int, asked_ms: int) -> "Gate":
        """The provider complained: nobody calls for as long as it asks, and half as often afterwards.

        Complaints about calls that were under way together count once.
        """
        gate = self.at(limits, now)
        until = max(gate.closed_until, now + min(asked_ms, LONGEST_CLOSED_MS))
        if gate.closed_until > now:
            return replace(gate, closed_until=until)
        return replace(gate, closed_until=until, rate=max(LEAST_RATE, gate.rate // 2), tokens=0)
