"""A cache of the statuses of a batch's operations, so that progress need not read all of them each time.

Reading 10,000 operations means 10,000 rows. Each change of an operation has an event of the batch that names
it (I2), so an update reads the events since the last one, and the operations that they name.

1. The number of the batch's last event is read before the operations. Changes in between are read again.
2. An update reads the steps that events after that number name, then their statuses, and only then increases
   the number.
3. After very many events, or when the number has become smaller, all operations are read again.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from itertools import islice

from app.domain.batch import graph
from app.domain.batch.definition import BatchDefinition
from app.record.batches import listing
from app.record.runs import event_rows
from app.record.session import Tx

CHILD = {"server_batch": "batch.servers", "taskserv_batch": "batch.taskservs"}
RUNNING, PENDING = "waiting", "pending"  # Statuses of a step that waits for its run, or has not begun.
MOST_EVENTS = 1_000  # With more events it is cheaper to read all operations.
MOST_CACHED = 200_000  # Operations of all batches together.
Place = tuple[int, str]  # The level of an operation, and the type of its run.


class OperationStates:
    """The operations of one batch that has not ended: their statuses, and the order in which they begin."""

    def __init__(self, definition: BatchDefinition) -> None:
        levels = {key: at for at, wave in enumerate(graph.levels(definition.operations)) for key in wave}
        ranked = sorted(
            definition.operations, key=lambda one: -one.priority
        )  # Equal priorities in the order of the definition.
        self._places: Mapping[str, Place] = {one.id: (levels[one.id], CHILD[one.type]) for one in ranked}
        self._statuses: dict[str, str] = {}
        self._seq = 0
        self.lock = threading.Lock()  # Held during an update and while its result is read.
        self.counts: Counter[str] = Counter()
        self.ahead: Counter[Place] = Counter()  # Operations that have not ended.

    @property
    def size(self) -> int:
        """The number of operations."""
        return len(self._places)

    def update(self, tx: Tx, batch_id: str, last: int) -> None:
        """Read what has changed; ``last`` is the number of the batch's last event, read before this call."""
        if self._seq <= last <= self._seq + MOST_EVENTS and self._statuses:
            if last > self._seq:
                last, named = event_rows.named_since(tx, batch_id, self._seq)
                keys = list(named)
                for at in range(0, len(keys), listing.MOST_IDS):
                    self._learn(listing.standing(tx, batch_id, keys[at : at + listing.MOST_IDS]))
        else:
            self._learn(listing.standing(tx, batch_id))
        self._seq = last

    def first(self, status: str, most: int) -> list[str]:
        """The first operations with this status, in the order in which they begin when all are ready."""
        return list(islice((key for key in self._places if self._statuses.get(key) == status), most))

    def _learn(self, found: Mapping[str, Iterable[str]]) -> None:
        for status, keys in found.items():
            for key in keys:
                before = self._statuses.get(key)
                if before != status:
                    self._count(key, before, -1)
                    self._count(key, status, 1)
                    self._statuses[key] = status

    def _count(self, key: str, status: str | None, by: int) -> None:
        if status is not None:
            self.counts[status] += by
        if status in (RUNNING, PENDING) and key in self._places:
            self.ahead[self._places[key]] += by


_cache: OrderedDict[str, OperationStates] = OrderedDict()
_lock = threading.Lock()


def cached(batch_id: str) -> OperationStates | None:
    """The cached states of a batch."""
    with _lock:
        found = _cache.get(batch_id)
        if found is not None:
            _cache.move_to_end(batch_id)
        return found


def keep(batch_id: str, states: OperationStates) -> OperationStates:
    """Add states to the cache, and evict the least recently used ones; returns the states that are cached."""
    with _lock:
        found = _cache.setdefault(batch_id, states)
        while len(_cache) > 1 and sum(one.size for one in _cache.values()) > MOST_CACHED:
            _cache.popitem(last=False)
    return found


def forget() -> None:
    """Empty the cache."""
    with _lock:
        _cache.clear()
