"""`client.batches`: submit batches, follow them, undo them; `BatchTalks` tells of each call."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from windlass.batchmodels import BatchProgress
from windlass.batchtalks import BASE, BatchTalks
from windlass.errors import Unavailable
from windlass.exchange import Talk
from windlass.live import OUTAGE_S, SILENCE_S
from windlass.session import Session
from windlass.sse import messages

P = ParamSpec("P")
T = TypeVar("T")
LOOK_S = 1.0  # Between two looks where there is no stream.


def _carried(talk: Callable[Concatenate[BatchTalks, P], Talk[T]]) -> "Callable[Concatenate[Batches, P], T]":
    @wraps(talk)
    def method(self: "Batches", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.session.carry(talk(BatchTalks(exchange=self.session.exchange), *args, **kwargs))

    return method


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Everything about batches."""

    session: Session
    clock: Callable[[], float] = time.monotonic

    submit = _carried(BatchTalks.submit)
    plan = _carried(BatchTalks.plan)
    list = _carried(BatchTalks.list)
    get = _carried(BatchTalks.get)
    items = _carried(BatchTalks.items)
    progress = _carried(BatchTalks.progress)
    stats = _carried(BatchTalks.stats)
    graph = _carried(BatchTalks.graph)
    rollback = _carried(BatchTalks.rollback)
    cancel = _carried(BatchTalks.cancel)
    pause = _carried(BatchTalks.pause)
    resume = _carried(BatchTalks.resume)
    checkpoint = _carried(BatchTalks.checkpoint)
    approve = _carried(BatchTalks.approve)
    retry = _carried(BatchTalks.retry)
    wait = _carried(BatchTalks.wait)

    def follow(self, batch_id: str) -> Iterator[BatchProgress]:
        """The progress at each change, until the batch has ended.

        A stream that breaks off is taken up again; while there is none the service is asked each second. One
        that is away for longer than a minute raises `Unavailable`.
        """
        after, last_seen = 0, self.clock()
        while True:
            try:
                for number, found in self._stream(batch_id, after):
                    after, last_seen = number, self.clock()
                    yield found
                    if found.ended:
                        return
            except Unavailable:
                pass  # Not there, or no place is free: whoever asks for a single answer gets one sooner.
            try:
                found = self.progress(batch_id)
                last_seen = self.clock()
                yield found
                if found.ended:
                    return
            except Unavailable:
                if self.clock() - last_seen > OUTAGE_S:
                    raise
            self.session.sleep(LOOK_S)

    def _stream(self, batch_id: str, after: int) -> Iterator[tuple[int, BatchProgress]]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        path = f"{BASE}/{quote(batch_id, safe='')}/progress"
        with self.session.open(path, headers, SILENCE_S) as answer:
            for message in messages(answer.lines):
                yield int(message.id or 0), BatchProgress.of(json.loads(message.data))
