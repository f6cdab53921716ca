"""Secrets in the values of code workflows: sealed for one workflow, opened by its workers."""

import json

from app.auth.seal import Opener, Sealer

MEMBER = "text"


def seal(sealer: Sealer, workflow: str, text: str) -> str:
    """The secret as text that opens in runs of this workflow alone."""
    return sealer.seal({MEMBER: text}, _bound(workflow))


def unseal(opener: Opener, workflow: str, sealed: str) -> str:
    """The secret in clear; raises `SealRefused` when it was sealed for another workflow."""
    return str(opener.open(sealed, _bound(workflow))[MEMBER])


def _bound(workflow: str) -> str:
    return json.dumps(["workflow", workflow])
