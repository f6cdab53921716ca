"""Secrets in the values of code workflows: sealed by whoever takes them, opened by workers alone.

They travel from a run to its children and back, so they are bound to code workflows and not to one of them.
"""

from app.auth.seal import Opener, Sealer

MEMBER = "text"
BOUND = "code workflows"


def seal(sealer: Sealer, text: str) -> str:
    """The secret as text that opens as the secret of a code workflow alone."""
    return sealer.seal({MEMBER: text}, BOUND)


def unseal(opener: Opener, sealed: str) -> str:
    """The secret in clear; raises `SealRefused` when it was sealed for something else."""
    return str(opener.open(sealed, BOUND)[MEMBER])
