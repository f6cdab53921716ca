"""Requests, answers, and what a client needs of an HTTP library: see `windlass.httpx_transport`."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request; ``path`` starts with a slash and is already escaped."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    timeout_s: float = 30.0  # Longest silence of the service.


@dataclass(frozen=True, kw_only=True)
class Response:
    """One HTTP answer; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """An answer that is read while it arrives; ``lines`` raises `ConnectionFailed` when it breaks off."""

    status: int
    headers: Mapping[str, str]
    lines: Iterator[str]


class Transport(Protocol):
    """How requests reach the service; every failure to get an answer is a `ConnectionFailed`."""

    def send(self, request: Request) -> Response:
        """Send a request and read the whole answer."""

    def open(self, request: Request) -> AbstractContextManager[Lines]:
        """Send a request and read the answer line by line."""

    def close(self) -> None:
        """Give back the connections."""


class AsyncTransport(Protocol):
    """The same for coroutines."""

    async def send(self, request: Request) -> Response:
        """Send a request and read the whole answer."""

    async def close(self) -> None:
        """Give back the connections."""
