"""Hooks of code workflows: calling one sends a signal (contracts/code-workflows.rst#identifiers)."""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import InvalidStateTransition
from app.domain.events import EventType
from app.domain.states import TERMINAL
from app.engine.transitions.journal import MAIN, Journal
from app.record.runs import hooks


def create(
    j: Journal, name: str, action: str | None, metadata: Mapping[str, Any] | None, token_hash: str
) -> str:
    """Open a hook; the same token again is the same hook. It dies with its run."""
    # The caller made the token before the transaction: a repetition after a lost answer finds its own hook.
    known = hooks.by_token(j.tx, token_hash)
    if known is not None:
        return str(known["id"])
    if j.status in TERMINAL:
        raise InvalidStateTransition(
            f"The run is {j.status}: hooks can be created only while it is open", current=j.status
        )
    facts: dict[str, Any] = {
        "name": name,
        "action": action,
        "metadata": dict(metadata) if metadata is not None else None,
    }
    hook_id = hooks.create(j.tx, token_hash=token_hash, run_id=j.id, step=MAIN, **facts)
    j.event(EventType.HOOK_CREATED, hookId=hook_id, **facts)
    return hook_id
