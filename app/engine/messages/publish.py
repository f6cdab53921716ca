"""Publish what a transition wants published, and let other runs hear of it at once."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from app.engine.messages.publisher import Publisher
from app.engine.reconciler.resume import fire_timer, hear_children
from app.engine.transitions.journal import Message, TimerMessage
from app.record.session import Database

KEPT_MS = 50  # So long the end of a child may be kept back before a reconciler tells its parent.


def tell(db: Database, publish: Publisher, messages: Iterable[Message]) -> None:
    """Ring, and fire the timers that were due when they were armed; a reconciler fires what is left.

    A parent hears of all its children at once.
    """
    waiting = list(messages)
    while waiting:
        publish([hint for hint in waiting if not _is_due(hint)])
        due = [hint for hint in waiting if isinstance(hint, TimerMessage) and _is_due(hint)]
        # Only a shortcut: a parent would otherwise hear of its child with the next tick of a reconciler. It
        # runs in transactions of its own, so a failure here leaves the timer to the reconciler and what is
        # committed stands.
        waiting = []
        for parent in dict.fromkeys(hint.parent for hint in due if hint.parent is not None):
            waiting += db.write(partial(hear_children, run_id=parent))
        for one in due:
            if one.parent is None:
                fired = db.write(partial(fire_timer, timer_id=one.timer_id))
                waiting += fired or ()


class Told:
    """What runs want published that a worker has reserved together: their parents hear once, of all."""

    def __init__(self, db: Database, publish: Publisher) -> None:
        self._db, self._publish = db, publish
        self._kept: dict[str, TimerMessage] = {}  # By parent.
        self._fresh: dict[str, TimerMessage] = {}  # Those of them that no reconciler knows of.

    def keep(self, messages: Iterable[Message]) -> None:
        """Publish all but what parents are to hear."""
        others: list[Message] = []
        for hint in messages:
            if isinstance(hint, TimerMessage) and hint.parent is not None:
                self._kept[hint.parent] = self._fresh[hint.parent] = hint
            else:
                others.append(hint)
        tell(self._db, self._publish, others)

    def note(self) -> None:
        """Another run comes first, and may take long: then a reconciler tells the parents."""
        fresh, self._fresh = list(self._fresh.values()), {}
        self._publish([replace(hint, due_at=hint.due_at + KEPT_MS) for hint in fresh])

    def tell(self) -> None:
        """Let the parents hear."""
        kept, self._kept = list(self._kept.values()), {}
        tell(self._db, self._publish, kept)


def _is_due(hint: Message) -> bool:
    return isinstance(hint, TimerMessage) and hint.at_once
