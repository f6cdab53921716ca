"""How the operations of a batch stand, kept from one look to the next.

A look at 10,000 operations reads 10,000 rows. Whatever changes an operation is told by an event of the batch
that names it (I2), so the next look reads the events since then, and the operations that they name.

1. The number of the batch's last event is read before the operations are. What changes meanwhile is read
   again.
2. Later: the steps that events after that number name; how these stand now; only then the number moves on.
3. After very many events, or when the number is smaller than it was, everything is read anew.
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
RUNNING, PENDING = "waiting", "pending"  # A member waits for its run, or to begin.
MOST_EVENTS = 1_000  # From more of them on it takes less to read everything.
MOST_KEPT = 200_000  # Operations of all batches that are kept.
Place = tuple[int, str]  # The level of an operation, and the type of its run.


class Standing:
    """The operations of one batch that has not ended: how they stand, in which order they begin."""

    def __init__(self, definition: BatchDefinition) -> None:
        levels = {key: at for at, wave in enumerate(graph.levels(definition.operations)) for key in wave}
        ranked = sorted(definition.operations, key=lambda one: -one.priority)  # Else as they are defined.
        self._places: Mapping[str, Place] = {one.id: (levels[one.id], CHILD[one.type]) for one in ranked}
        self._statuses: dict[str, str] = {}
        self._seq = 0
        self.lock = threading.Lock()  # Held by whoever looks.
        self.counts: Counter[str] = Counter()
        self.ahead: Counter[Place] = Counter()  # What has not ended.

    @property
    def size(self) -> int:
        """How many operations there are."""
        return len(self._places)

    def look(self, tx: Tx, batch_id: str, last: int) -> None:
        """Learn what has changed; ``last`` is the number of the batch's last event, which was read before."""
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
        """The first operations that stand so, in the order in which they begin when all are ready."""
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


_kept: OrderedDict[str, Standing] = OrderedDict()
_lock = threading.Lock()


def known(batch_id: str) -> Standing | None:
    """What this process knows of a batch."""
    with _lock:
        found = _kept.get(batch_id)
        if found is not None:
            _kept.move_to_end(batch_id)
        return found


def keep(batch_id: str, standing: Standing) -> Standing:
    """Keep it for the next look; those that nobody has asked for longest are forgotten."""
    with _lock:
        found = _kept.setdefault(batch_id, standing)
        while len(_kept) > 1 and sum(one.size for one in _kept.values()) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def forget() -> None:
    """Read everything anew."""
    with _lock:
        _kept.clear()
