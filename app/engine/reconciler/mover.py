"""Does one thing with each of many runs, in a transaction each; what cannot be done now is put off.

1. The caller has read candidates without a lock. Some are done by now; some are locked by others.
2. Those that were never put off come first, so that a run that is locked or fails does not delay the others.
3. Each gets one transaction, which locks its run, checks again, and changes it or does nothing.
4. A row that is locked for longer than 0.2 s, or work that raises, is put off and logged once. When the
   database is away, the whole rule ends.
5. After the commit, publish. After two seconds, stop: the next rule waits for this one.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from app.domain.errors import Contended, Unavailable, WindlassError
from app.engine.messages.publisher import Publisher
from app.engine.reconciler.putoff import PutOff
from app.engine.transitions.journal import Message
from app.record.session import Database

log = structlog.get_logger(__name__)
BATCH = 100
RULE_S = 2.0  # A rule begins nothing more after this.
What = tuple[Any, ...]


class Mover:
    """Moves runs for the rules of one reconciler."""

    def __init__(self, db: Database, publish: Publisher, put_off: PutOff | None = None) -> None:
        self._db, self._publish = db, publish
        self._put_off = PutOff() if put_off is None else put_off

    @property
    def batch(self) -> int:
        """How many candidates a rule reads at a time."""
        self._put_off.forget_old()
        # As many more as are put off: a hundred locked rows would otherwise be all that each pass finds
        # (test_however_many_are_held_the_others_have_their_turn).
        return BATCH + len(self._put_off)

    def move(
        self, work: Callable[..., list[Message] | None], found: Iterable[What], **how: Any
    ) -> list[What]:
        """Do it with each, first those never put off, for two seconds; returns what is done."""
        until, over = time.monotonic() + RULE_S, []
        for what in sorted(found, key=lambda one: self._put_off.times((work.__name__, *one))):
            if time.monotonic() > until:
                log.warning("reconcile.unfinished", work=work.__name__)
                break
            if self._one(work, what, how):
                over.append(what)
        return over

    def _one(self, work: Callable[..., list[Message] | None], what: What, how: dict[str, Any]) -> bool:
        """Do one thing in its own transaction and publish its messages; returns whether it is done."""
        this = (work.__name__, *what)
        if self._put_off.holds(this):
            return False
        try:
            # No patience: trying again is what the next pass is for, and everything else waits for this row
            # meanwhile.
            messages = self._db.write(lambda tx: work(tx, *what, **how), patience_s=0)
        except Unavailable as error:
            if not isinstance(error, Contended):
                raise  # Nothing can be moved just now.
            self._skip(this, error.message)
            return False
        except WindlassError as error:
            self._skip(this, error.message)
            return False
        except Exception as error:  # One run that cannot be moved must not keep the others from moving.
            self._skip(this, f"{type(error).__name__}: {error}", traceback=not self._put_off.times(this))
            return False
        # Committed. Should this process die before it publishes, the message is expected in SQL (T10).
        self._put_off.done(this)
        self._publish(messages or ())
        return messages is not None

    def _skip(self, this: What, why: str, *, traceback: bool = False) -> None:
        """Put it off, and log that once."""
        if self._put_off.add(this) == 1:
            log.warning("reconcile.skipped", what=this, error=why, exc_info=traceback)
