"""How a BMC failure is worded: the address, what was attempted, and why; never a credential."""

from typing import TypeVar

from app.domain.errors import BmcError
from app.providers.bmc.target import Target

E = TypeVar("E", bound=BmcError)

# These words call for a human or another request; the same attempt would fail the same way.
HOPELESS = frozenset({"unsupported", "privilege", "powered_off", "certificate", "invalid"})

WORDS = {
    "unreachable": "it does not answer",
    "lost": "the connection was lost",
    "password": "the password is wrong",
    "user": "the user is unknown or may not log in",
    "privilege": "the user lacks the privilege",
    "session_limit": "it has no free session",
    "busy": "it is busy",
    "refused": "it refused",
    "unsupported": "it does not support this",
    "powered_off": "the machine is off",
    "certificate": "its certificate is not the pinned or trusted one",
    "garbled": "its answer makes no sense",
    "invalid": "the request makes no sense",
    "unconfirmed": "it said yes, but nothing changed",
}


def fail(
    kind: type[E], target: Target, attempt: str, reason: str, hint: str = "", *, nothing_happened: bool = True
) -> E:
    """The error to raise: `reason` is one of `WORDS`, `hint` the finer text of the controller, if any."""
    text = f"{attempt} at {target.address}: {WORDS[reason]}"
    error = kind(f"{text} ({hint})" if hint else text, reason=reason, address=target.address, attempt=attempt)
    error.nothing_happened = nothing_happened
    error.retryable = kind.retryable and reason not in HOPELESS
    return error
