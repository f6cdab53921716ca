"""`client.workers`: who works, what waits for them, and which pool takes nothing new."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from windlass.decode import Model
from windlass.session import Session

PATH = "/v1/workers"


@dataclass(frozen=True, kw_only=True)
class WorkerPool(Model):
    """A pool of worker processes, a reconciler or a projector."""

    name: str = ""
    kind: str = ""
    queues: tuple[str, ...] = ()
    processes: int | None = None
    release: str | None = None
    started_at: datetime | None = None
    last_seen_at: datetime | None = None
    silent_ms: int = 0
    can_drain: bool = False
    drained: bool = False
    drained_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Queue(Model):
    """A queue; its length is None while Redis is away."""

    queue: str = ""
    length: int | None = None
    workers: int = 0
    processes: int = 0
    expected: bool = False  # Whether the record has work that waits for it.


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Everything about workers."""

    session: Session

    def list(self) -> tuple[WorkerPool, ...]:
        """Everybody who was heard of within the last half minute."""
        return tuple(WorkerPool.of(each) for each in self.session.get(PATH).data)

    def queues(self) -> tuple[Queue, ...]:
        """Every queue and who serves it."""
        return tuple(Queue.of(each) for each in self.session.get("/v1/queues").data)

    def drain(self, name: str, *, reason: str | None = None) -> None:
        """Let a pool take nothing new, within ten seconds and until it is resumed; what it does ends.

        Needs the scope admin. Raises `NotFound` for a pool that is not heard of, and `Conflict` for what
        cannot be drained: reconcilers, projectors, and what delivers messages of apps.
        """
        self._change(name, "drain", reason)

    def resume(self, name: str, *, reason: str | None = None) -> None:
        """Let a pool take work again; needs the scope admin."""
        self._change(name, "resume", reason)

    def _change(self, name: str, verb: str, reason: str | None) -> None:
        self.session.post(f"{PATH}/{quote(name, safe='')}/{verb}", {"reason": reason} if reason else {})
