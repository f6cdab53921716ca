"""A connection to a pinned address with one deadline for all that happens on it.

A timeout of a socket starts anew with every byte, so a receiver that sends one byte a second never meets it.
Here each wait gets only what is left of the deadline.
"""

import functools
import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.webhooks.guard import Pinned


class Deadline:
    """A moment after which nothing is waited for any more."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; raises `TimeoutError` when none are."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class Wire:
    """As much of a socket as `http.client` uses."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send everything before the deadline."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._deadline.left())
            rest = rest[self._sock.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """The stream that the answer is read from."""
        return io.BufferedReader(_Stream(self._sock, self._deadline))

    def close(self) -> None:
        """Left to `connected`: `http.client` closes early, with the body still to be read."""


class _Stream(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


@contextmanager
def connected(
    pinned: Pinned, connect_s: float, deadline: Deadline, tls: ssl.SSLContext | None = None
) -> Iterator[Wire]:
    """A connection to the first pinned address that answers; raises `OSError`, TLS errors included."""
    with _dialled(pinned, Deadline(min(connect_s, deadline.left()))) as plain:
        if pinned.scheme == "http":
            yield Wire(plain, deadline)
            return
        plain.settimeout(deadline.left())
        with (tls or _public_tls()).wrap_socket(plain, server_hostname=pinned.host) as sealed:
            yield Wire(sealed, deadline)


def _dialled(pinned: Pinned, deadline: Deadline) -> socket.socket:
    """Each address gets an equal share of the time, so that a silent first one does not take it all."""
    failure: OSError = OSError("no address")
    for tried, address in enumerate(pinned.addresses):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left() / (len(pinned.addresses) - tried))
            sock.connect((address, pinned.port))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


@functools.cache
def _public_tls() -> ssl.SSLContext:
    """The machine's certificate authorities; reading them takes longer than a request."""
    return ssl.create_default_context()
