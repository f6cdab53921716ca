"""What every use case is given: one value that the composition root puts together."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from celery import Celery
from redis import Redis

from app.auth.message_key import MessageKey
from app.auth.seal import Opener, Sealer, opener, sealer
from app.auth.tokens import Cursors, cursors
from app.config import Settings
from app.engine.messages.publisher import Publisher
from app.record.session import Database

Role = Literal["api", "worker", "reconciler", "projector", "cli"]


@dataclass(frozen=True)
class AppContext:
    """What every use case is given."""

    settings: Settings
    role: Role
    db: Database
    publish: Publisher
    celery: Celery
    redis: Redis  # With short patience.
    message_key: MessageKey

    @cached_property
    def cursors(self) -> Cursors:
        """Signs page cursors."""
        return cursors(self.settings)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals credentials; whoever can seal cannot open."""
        return sealer(self.settings)

    @cached_property
    def opener(self) -> Opener:
        """Opens credentials; only workers use it."""
        return opener(self.settings)
