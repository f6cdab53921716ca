"""Publish the messages of a transition, and fire at once the timers by which it informs other runs."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from app.engine.messages.publisher import Publisher
from app.engine.reconciler.resume import fire_timer, hear_children
from app.engine.transitions.journal import Message, TimerMessage
from app.record.session import Database

KEPT_MS = 50  # So late a reconciler informs a parent of a child's end, when its worker has not done so.


def publish_and_fire(db: Database, publish: Publisher, messages: Iterable[Message]) -> None:
    """Publish messages, and fire the timers that were due when they were armed; a reconciler fires the rest.

    One transaction informs a parent of all its children that have ended.
    """
    waiting = list(messages)
    while waiting:
        publish([message for message in waiting if not _is_due(message)])
        due = [message for message in waiting if isinstance(message, TimerMessage) and _is_due(message)]
        # Only a shortcut: a reconciler would inform the parent with its next read of the timers. It runs in
        # transactions of its own: a failure here leaves the timer to the reconciler, and the transition stays
        # committed.
        waiting = []
        for parent in dict.fromkeys(message.parent for message in due if message.parent is not None):
            waiting += db.write(partial(hear_children, run_id=parent))
        for one in due:
            if one.parent is None:
                fired = db.write(partial(fire_timer, timer_id=one.timer_id))
                waiting += fired or ()


class ParentTimers:
    """Timers of the parents of runs that a worker has reserved together: each parent is informed once."""

    def __init__(self, db: Database, publish: Publisher) -> None:
        self._db, self._publish = db, publish
        self._kept: dict[str, TimerMessage] = {}  # By parent.
        self._fresh: dict[str, TimerMessage] = {}  # Those of them that are not in the sorted set yet.

    def publish_others(self, messages: Iterable[Message]) -> None:
        """Publish messages, but keep the timers of parents."""
        others: list[Message] = []
        for message in messages:
            if isinstance(message, TimerMessage) and message.parent is not None:
                self._kept[message.parent] = self._fresh[message.parent] = message
            else:
                others.append(message)
        publish_and_fire(self._db, self._publish, others)

    def leave_to_reconciler(self) -> None:
        """Publish new kept timers, due a little later: a reconciler fires them if the next run takes long."""
        fresh, self._fresh = list(self._fresh.values()), {}
        self._publish([replace(message, due_at=message.due_at + KEPT_MS) for message in fresh])

    def fire(self) -> None:
        """Fire the kept timers, which informs the parents."""
        kept, self._kept = list(self._kept.values()), {}
        publish_and_fire(self._db, self._publish, kept)


def _is_due(message: Message) -> bool:
    return isinstance(message, TimerMessage) and message.at_once
