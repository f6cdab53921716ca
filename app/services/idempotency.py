"""The header Idempotency-Key on any POST (contracts/runs.rst#idempotency; IETF draft idempotency-key-header).

1. Before a request is served, it is noted under (principal, route, key) with a hash of what was asked.
2. A success is kept with the note for 24 hours and given again; a refusal changed nothing and is forgotten.
3. A note without an answer belongs to a request in flight. When its process died, the next one with the same
   key takes over after `IN_FLIGHT_MS`; `run_key` lets it find the run that the first one may have started.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from app.domain.errors import Conflict
from app.record.service import requests
from app.record.session import Tx
from app.services.context import AppContext

KEPT_MS = 24 * 3_600_000
IN_FLIGHT_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One request that carries a key."""

    principal: str
    route: str
    key: str
    hash: str  # SHA-256 of the query and the body, 64 hex digits.


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A request that is to be served now."""

    run_key: str  # Idempotency key of the run that it starts, the same when another one takes over.


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The answer that an earlier request with this key got."""

    status: int
    headers: dict[str, str]
    body: Any


def begin(world: AppContext, ticket: Ticket) -> Opened | Stored:
    """The stored answer, or leave to serve the request; raises `Conflict` when the key is in use."""
    return world.db.write(lambda tx: _begin(tx, ticket))


def settle(world: AppContext, ticket: Ticket, answer: Stored) -> None:
    """Keep the answer for 24 hours."""
    values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
    world.db.write(lambda tx: requests.settle(tx, ticket.principal, ticket.route, ticket.key, **values))


def forget(world: AppContext, ticket: Ticket) -> None:
    """Drop the note of a request that changed nothing."""
    world.db.write(lambda tx: requests.forget(tx, ticket.principal, ticket.route, ticket.key))


def give_up(world: AppContext, ticket: Ticket) -> None:
    """Leave a request that may have changed something, its commit unheard, to the next one with its key."""
    place = (ticket.principal, ticket.route, ticket.key)
    world.db.write(lambda tx: requests.give_up(tx, *place, tx.now - IN_FLIGHT_MS - 1))


def _begin(tx: Tx, ticket: Ticket) -> Opened | Stored:
    place = (ticket.principal, ticket.route, ticket.key)
    found = requests.find(tx, *place)
    if found is not None and found["at"] < tx.now - KEPT_MS:
        requests.forget(tx, *place)
        found = None
    if found is None and requests.open_(tx, *place, ticket.hash):
        return _opened(ticket, tx.now)
    found = found or requests.find(tx, *place)
    if found is not None and found["hash"] != ticket.hash:
        raise Conflict(
            "This Idempotency-Key was used with another body.", header="Idempotency-Key", reason="reused"
        )
    if found is not None and found["status"] is not None:
        return Stored(status=found["status"], headers=found["headers"], body=found["body"])
    return _taken_over(tx, ticket, found)


def _taken_over(tx: Tx, ticket: Ticket, found: dict[str, Any] | None) -> Opened:
    place = (ticket.principal, ticket.route, ticket.key)
    stale = found is not None and found["at"] < tx.now - IN_FLIGHT_MS
    if found is None or not stale or not requests.take_over(tx, *place, found["at"]):
        message = "A request with this Idempotency-Key is in flight."
        raise Conflict(message, header="Idempotency-Key", reason="in_flight")
    return _opened(ticket, found["headers"]["openedAt"])


def _opened(ticket: Ticket, at: int) -> Opened:
    text = json.dumps([ticket.principal, ticket.route, ticket.key, at])
    return Opened(run_key="request-" + hashlib.sha256(text.encode()).hexdigest()[:40])
