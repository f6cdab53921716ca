"""Signals: named messages, stored until a wait takes the oldest (contracts/code-workflows.rst#signals).

1. `send` works under the lock of the run: it looks for a wait of this name, stores the signal, and ends that
   wait.
2. `take` works under the same lock, in the transaction that stores a new wait: it looks for a stored signal
   first.
3. So of a signal and a wait that come at the same moment, the second one finds the first. Each signal is
   taken by one call at most, the oldest first (I9).
4. A run that goes on as a fresh one takes along what nobody has taken, with its order and its keys.
"""

import hashlib
import json
from typing import Any

from app.domain.errors import Conflict, InvalidStateTransition
from app.domain.events import EventType
from app.domain.ids import new_id
from app.domain.rows import picked
from app.domain.rows.runs import SignalRow, StepRow
from app.domain.states import TERMINAL
from app.engine.code.emit import full_log
from app.engine.code.limits import BYTES, room
from app.engine.code.waits import end
from app.engine.transitions.journal import MAIN, Journal
from app.record.runs import hooks, signals


def send(j: Journal, name: str, payload: Any, *, sender: str, key: str | None = None) -> str:
    """Give a run a signal; the same key again is the same signal. Raises for an ended run."""
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    if key is not None:
        # Over the whole line of a run that went on afresh: a sender who asks again does not know of the new
        # run.
        known = signals.with_key(j.tx, j.id, j.run["origin"], key)
        if known is not None:
            if (known["name"], known["payload_hash"]) != (name, digest):
                raise Conflict("The idempotency key was used for another signal", signalId=known["id"])
            return str(known["id"])
    if j.status in TERMINAL:
        raise InvalidStateTransition(
            f"The run is {j.status}: signals can be sent only while it is open", current=j.status
        )
    main = j.one("forward", MAIN)
    call = signals.oldest_wait(j.tx, j.id, name, sender)
    # A call that waits has its events reserved; a signal that nobody waits for must not use those.
    if (call is None and not room(j, main, 1)) or j.run["log_bytes"] > BYTES.most:
        raise full_log(j)
    signal_id = new_id("sig")
    j.event(EventType.SIGNAL_RECEIVED, actor=sender, signalId=signal_id, name=name)
    j.weigh(payload)
    values = {
        "id": signal_id,
        "seq": j.run["event_seq"],
        "name": name,
        "payload": payload,
        "idempotency_key": key,
        "payload_hash": digest,
        "sender": sender,
        "consumed_by": call["key"] if call is not None else None,
    }
    signals.store(j.tx, j.id, values)
    if call is not None:
        _consumed(j, call, signal_id, payload)
    return signal_id


def take(j: Journal, name: str, key: str, hook_id: str | None = None) -> SignalRow | None:
    """The oldest signal of this name that nobody has taken, for the call of this key; or that of a hook."""
    found = signals.oldest_unread(j.tx, j.id, name, hook_id)
    if found is not None:
        signals.consume(j.tx, found["id"], key)
    return found


def hand_over(j: Journal, following: Journal) -> list[str]:
    """Give what nobody has taken to the run that goes on in place of this one, in the order it came; the ids.

    Open hooks go with them: whoever was told of a token still reaches somebody.
    """
    moved = []
    for row in signals.unread(j.tx, j.id):
        # The number of this event is the signal's place in the new run: what was sent first is taken first
        # there, too.
        following.event(EventType.SIGNAL_RECEIVED, signalId=row["id"], name=row["name"], movedFrom=j.id)
        signals.move(j.tx, row["id"], following.id, following.run["event_seq"])
        moved.append(row["id"])
    hooks.hand_over(j.tx, j.id, following.id)
    return moved


def repeat(following: Journal, sent: SignalRow) -> None:
    """Give a run what was sent to the one that it retries, whose own record stays as it is."""
    signal_id = new_id("sig")
    following.event(
        EventType.SIGNAL_RECEIVED,
        actor=sent["sender"],
        signalId=signal_id,
        name=sent["name"],
        movedFrom=sent["run_id"],
    )
    following.weigh(sent["payload"])
    columns = ("name", "payload", "idempotency_key", "payload_hash", "sender")
    values = {"id": signal_id, "seq": following.run["event_seq"], "consumed_by": None}
    signals.store(following.tx, following.id, {**values, **picked(sent, columns)})


def _consumed(j: Journal, call: StepRow, signal_id: str, payload: Any) -> None:
    j.disarm(call)
    j.event(EventType.SIGNAL_CONSUMED, call, signalId=signal_id)
    end(j, call, value=payload)
