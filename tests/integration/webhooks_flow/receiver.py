"""A receiver on a real socket: it answers what it is told to and keeps what it was sent."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from threading import Event
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.integration.webhooks.receivers import Receiver


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the message, the same in every attempt."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        return dict(json.loads(self.body))

    @property
    def event(self) -> str:
        """What it tells of."""
        return str(self.json["type"])

    @property
    def data(self) -> dict[str, Any]:
        """The run, or what else it is about."""
        return dict(self.json["data"])

    def verified(self, secret: str) -> dict[str, Any]:
        """The body as the reference library accepts it; raises its `WebhookVerificationError`."""
        return dict(Webhook(secret).verify(self.body, self.headers))

    def is_signed_with(self, secret: str) -> bool:
        """Whether the reference library accepts it with this secret."""
        try:
            return bool(self.verified(secret))
        except WebhookVerificationError:
            return False


class Inbox:
    """A receiver that answers from a list, and 200 when the list is at its end."""

    def __init__(self) -> None:
        self.answers: deque[bytes] = deque()
        self.receiver = Receiver(self._answer)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.receiver.port}/hook"

    @property
    def received(self) -> list[Received]:
        """What arrived, in order."""
        return [_read(request) for request in self.receiver.requests]

    @property
    def in_order(self) -> list[Received]:
        """What arrived about one run, in the order of its log: the order of arrival is nobody's promise."""
        return sorted(self.received, key=lambda one: int(one.data["seq"]))

    @property
    def events(self) -> list[str]:
        """What the received about one run tells of, in the order of its log."""
        return [one.event for one in self.in_order]

    def say(self, *statuses: int, **headers: str) -> None:
        """Answer the next requests with these statuses."""
        self.answers.extend(answer(status, **headers) for status in statuses)

    def _answer(self, sock: socket, _over: Event) -> None:
        sock.sendall(self.answers.popleft() if self.answers else answer(200))


def answer(status: int, **headers: str) -> bytes:
    """A whole answer with the body "noted"; names of headers with _ for -."""
    lines = [f"HTTP/1.1 {status} X", "content-length: 5", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join((*(line.replace("_", "-") for line in lines), "", "noted")).encode()


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A receiver for the duration of a block."""
    made = Inbox()
    made.receiver.start()
    try:
        yield made
    finally:
        made.receiver.stop()


def _read(request: bytes) -> Received:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return Received(headers=dict(line.split(": ", 1) for line in lines), body=body)
