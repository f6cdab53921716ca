"""Publish what a transition wants published, and let other runs hear of it at once."""

from collections.abc import Iterable

from app.engine.messages.publisher import Publisher
from app.engine.reconciler.resume import fire_timer
from app.engine.transitions.journal import Message, TimerMessage
from app.record.session import Database


def tell(db: Database, publish: Publisher, messages: Iterable[Message]) -> None:
    """Ring, and fire the timers that were due when they were armed; a reconciler fires what is left."""
    waiting = list(messages)
    while waiting:
        publish(waiting)
        # Only a shortcut: a parent would otherwise hear of its child with the next tick of a reconciler. It
        # runs in transactions of its own, so a failure here leaves the timer to the reconciler and what is
        # committed stands.
        due = [hint.timer_id for hint in waiting if isinstance(hint, TimerMessage) and hint.at_once]
        waiting = [hint for one in due for hint in db.write(lambda tx, one=one: fire_timer(tx, one)) or ()]  # type: ignore[misc]
