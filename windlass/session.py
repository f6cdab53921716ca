"""The synchronous session: executes talks (`windlass.exchange`) over a transport."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from windlass.errors import ConnectionFailed, error_of
from windlass.exchange import Answer, Came, Exchange, Query, Talk, Wish, json_of
from windlass.retries import Retries
from windlass.transport import Lines, Request, Transport

__all__ = ["Answer", "Query", "Session"]

P = ParamSpec("P")
T = TypeVar("T")


def _carried(talk: Callable[Concatenate[Exchange, P], Talk[T]]) -> "Callable[Concatenate[Session, P], T]":
    """A method that executes a talk of the exchange."""

    @wraps(talk)
    def method(self: "Session", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.carry(talk(self.exchange, *args, **kwargs))

    return method


@dataclass(frozen=True, kw_only=True)
class Session:
    """Sends requests, and repeats them after temporary failures."""

    transport: Transport
    exchange: Exchange = field(default_factory=Exchange)
    sleep: Callable[[float], None] = time.sleep

    get = _carried(Exchange.get)
    post = _carried(Exchange.post)
    put = _carried(Exchange.put)
    patch = _carried(Exchange.patch)
    delete = _carried(Exchange.delete)

    @property
    def retries(self) -> Retries:
        """How often and how long a request is repeated."""
        return self.exchange.retries

    def carry(self, talk: Talk[T]) -> T:
        """Execute a talk and return its result."""
        try:
            wish = next(talk)
            while True:
                wish = talk.send(self._do(wish))
        except StopIteration as end:
            result: T = end.value
            return result

    @contextmanager
    def open(self, path: str, headers: Mapping[str, str], silence_s: float) -> Iterator[Lines]:
        """Read a stream; `silence_s` is the longest silence. Makes one attempt; the caller reconnects."""
        request = Request(
            method="GET",
            path=path,
            headers={**self.exchange.headers(), "Accept": "text/event-stream", **headers},
            timeout_s=silence_s,
        )
        with self.transport.open(request) as answer:
            if answer.status != 200:
                body = json_of("\n".join(answer.lines).encode())
                raise error_of(answer.status, body, answer.headers.get("x-request-id"))
            yield answer

    def _do(self, wish: Wish) -> Came:
        if isinstance(wish, Request):
            try:
                return self.transport.send(wish)
            except ConnectionFailed as error:
                return error
        self.sleep(wish)
        return None
