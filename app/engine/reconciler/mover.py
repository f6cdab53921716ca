"""Does one thing with each of many runs, a transaction each; what cannot be moved now is put off.

1. The caller has read candidates without a lock. Some are over by now; some are locked by others.
2. Those that were never put off come first, so that what stands still delays nobody else.
3. Each gets one transaction, which locks its run, looks again, and changes it or nothing.
4. A row that is locked for longer than 0.2 s, or work that raises, is put off and said once. A database that
   is away ends the look.
5. After the commit, publish. After two seconds, stop: timers and leases wait for the end of the look.
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
LOOK_S = 2.0  # Nothing more is begun after this.
What = tuple[Any, ...]


class Mover:
    """What the looks of one reconciler have in common."""

    def __init__(self, db: Database, publish: Publisher, put_off: PutOff | None = None) -> None:
        self._db, self._publish = db, publish
        self._put_off = PutOff() if put_off is None else put_off

    @property
    def batch(self) -> int:
        """How much is to be looked for at a time, beside what is known to stand still."""
        self._put_off.forget_old()
        # As many more as are known to stand still: a hundred held rows would otherwise be all that each look
        # finds (test_however_many_are_held_the_others_have_their_turn).
        return BATCH + len(self._put_off)

    def move(
        self, work: Callable[..., list[Message] | None], found: Iterable[What], **how: Any
    ) -> list[What]:
        """Do it with each, those first that were never put off, until it took long; returns what is over."""
        until, over = time.monotonic() + LOOK_S, []
        for what in sorted(found, key=lambda one: self._put_off.times((work.__name__, *one))):
            if time.monotonic() > until:
                log.warning("reconcile.unfinished", work=work.__name__)
                break
            if self._one(work, what, how):
                over.append(what)
        return over

    def _one(self, work: Callable[..., list[Message] | None], what: What, how: dict[str, Any]) -> bool:
        """Do one thing in its own transaction and publish what follows; tells whether it is over."""
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
        """Put it off, and say once that it stands still."""
        if self._put_off.add(this) == 1:
            log.warning("reconcile.skipped", what=this, error=why, exc_info=traceback)
