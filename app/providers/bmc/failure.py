"""How a BMC failure is worded: the address, what was attempted, and why; never a credential."""

from typing import TypeVar

from app.domain.errors import BmcError
from app.providers.bmc.plain_values import values
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
    "certificate": "its certificate is not the pinned or trusted one; when it has made itself a new one, "
    "`windlass server trust-certificate` pins that",
    "garbled": "its answer makes no sense",
    "invalid": "the request makes no sense",
    "unconfirmed": "it said yes, but nothing changed",
    "on_its_way": "the machine is still on its way",
}


# What passes by itself, and how long that may take: for so long attempts go on, whatever the step's policy.
PASSING_MS = {"on_its_way": 900_000, "session_limit": 600_000, "busy": 600_000}


def fail(
    kind: type[E], target: Target, attempt: str, reason: str, hint: str = "", *, nothing_happened: bool = True
) -> E:
    """The error to raise: `reason` is one of `WORDS`, `hint` the finer text of the controller, if any."""
    hint = values(hint)  # A controller's words.
    text = f"{attempt} at {target.address}: {WORDS[reason]}"
    error = kind(f"{text} ({hint})" if hint else text, reason=reason, address=target.address, attempt=attempt)
    error.nothing_happened = nothing_happened
    error.passing_ms = PASSING_MS.get(reason, 0)
    error.retryable = kind.retryable and reason not in HOPELESS
    return error
