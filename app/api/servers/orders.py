"""From the body of a trigger to what the service is told, and back to its answer."""

from collections.abc import Mapping
from typing import Any

from app.api import envelope, idempotency
from app.api.servers import show

Row = dict[str, Any]
OPTIONS = ("on_failure", "idempotency_key", "callback_url")  # About the run, not about the machine.


def split(body: Mapping[str, Any]) -> Row:
    """What is said about the machine, without what is said about the run."""
    return {name: value for name, value in body.items() if name not in OPTIONS}


def options(body: Mapping[str, Any], query: Mapping[str, Any] | None = None) -> Row:
    """What is said about the run."""
    said = {name: body[name] for name in OPTIONS if name in body}
    said.setdefault("idempotency_key", idempotency.run_key())
    return {**said, "on_conflict": query["on_conflict"]} if query else said


def accepted(started: tuple[Row, Row]) -> Any:
    """202 with the server in its transitional state and the run to follow."""
    server, run = started
    return envelope.accepted(show.shown(server), run)
