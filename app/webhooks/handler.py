"""One POST to a handler of an app: where it may go, how long it may take, and what its failure is called.

A handler is the app itself, so private addresses are its usual place. Never reached are link-local ones,
where clouds keep credentials, and whatever an operator leaves out of the networks.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import cast
from urllib.parse import SplitResult, urlsplit

from app.domain.errors import ValidationFailed
from app.webhooks.addresses import Address, Network, reached
from app.webhooks.connection import Deadline, connected
from app.webhooks.guard import LONGEST_URL, Pinned

CONNECT_S, RESOLVED_S = 5.0, 5.0
ANSWER_BYTES = 65_536
PORTS = {"http": 80, "https": 443}
NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "168.63.129.16/32", "224.0.0.0/4", "ff00::/8"),
    )
)


class Unreachable(Exception):
    """The handler gave no answer that can be read; ``code`` is its name on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where handlers may be; no networks is anywhere."""

    networks: tuple[Network, ...] = ()
    loopback: bool = True


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a handler answered; ``body`` is None when it was longer than is ever looked at."""

    status: int
    body: bytes | None


def networks(listed: str) -> tuple[Network, ...]:
    """The networks of a setting; raises `ValueError` for one that is none."""
    return tuple(ip_network(part.strip(), strict=False) for part in listed.split(",") if part.strip())


def split(url: str, reach: Reach) -> SplitResult:
    """The parts of a handler's URL; raises `ValidationFailed` with what is wrong with it."""
    if len(url) > LONGEST_URL or not url.isascii() or any(sign <= " " or sign in "\\\x7f" for sign in url):
        raise _wrong(f"must have at most {LONGEST_URL} printable ASCII characters, and no blank or backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong("is no URL") from None
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise _wrong("must begin with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise _wrong("must not hold a user or a password")
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return parts
    _judge(address, reach)
    return parts


def pinned(url: str, reach: Reach, resolve: Callable[[str, int], list[str]]) -> Pinned:
    """Where a request with this URL goes; raises `ValidationFailed` when it may not go there."""
    parts = split(url, reach)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    found = resolve(host, port)
    for address in found:
        _judge(ip_address(address), reach)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Pinned(scheme=parts.scheme, host=host, port=port, addresses=tuple(found), target=target)


class Names:
    """Addresses of hosts, asked for at most every few seconds: handlers are called all day."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def __call__(self, host: str, port: int) -> list[str]:
        """Every address of a host; raises `Unreachable` when it has none."""
        known = self._known.get((host, port))
        if known is None or known[0] < time.monotonic():
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                raise Unreachable("ENOTFOUND", f"The host {host} has no address") from None
            addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
            known = (time.monotonic() + RESOLVED_S, addresses)
            if len(self._known) > 1_000:
                self._known.clear()
            self._known[host, port] = known
        return known[1]


def post(
    where: Pinned, content_type: str, body: bytes, answer_s: float, tls: ssl.SSLContext | None = None
) -> Answered:
    """Post and read the answer; raises `Unreachable`. One deadline covers all of it."""
    deadline, asked, answered = Deadline(answer_s), False, False
    try:
        with connected(where, CONNECT_S, deadline, tls) as wire:
            asked = True
            wire.sendall(_head(where, content_type, len(body)) + body)
            response = http.client.HTTPResponse(cast(socket.socket, wire), method="POST")
            response.begin()
            answered = True
            read = response.read(ANSWER_BYTES + 1)
            _whole(response, read)
            return Answered(status=response.status, body=read if len(read) <= ANSWER_BYTES else None)
    except TimeoutError:
        raise _late(asked, answered, answer_s) from None
    except ConnectionRefusedError:
        raise Unreachable("ECONNREFUSED", "The handler refused the connection") from None
    except (ConnectionError, http.client.IncompleteRead, http.client.RemoteDisconnected):
        raise Unreachable("ECONNRESET", "The handler closed the connection without an answer") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable("DISPATCH_ERROR", f"The handler cannot be asked: {type(error).__name__}") from None


def _head(where: Pinned, content_type: str, length: int) -> bytes:
    """The head of the request: written here, as `http.client` takes longer for it than for all the rest.

    Nothing in it can break out of its line: `split` lets only printable ASCII pass.
    """
    return (
        f"POST {where.target} HTTP/1.1\r\nHost: {where.authority}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _whole(response: http.client.HTTPResponse, read: bytes) -> None:
    """An answer that was cut off might have asked for more; `read` of a number of bytes hides that."""
    if len(read) <= ANSWER_BYTES and response.length:
        raise http.client.IncompleteRead(read, response.length)


def _late(connected_: bool, answered: bool, answer_s: float) -> Unreachable:
    if not connected_:
        return Unreachable("UND_ERR_CONNECT_TIMEOUT", f"No connection within {CONNECT_S:g} s")
    if answered:
        return Unreachable("UND_ERR_BODY_TIMEOUT", f"The answer was not whole within {answer_s:g} s")
    return Unreachable("UND_ERR_HEADERS_TIMEOUT", f"No answer within {answer_s:g} s")


def _judge(address: Address, reach: Reach) -> None:
    meant = reached(address)
    if any(one in network for one in meant for network in NEVER if one.version == network.version):
        raise _wrong("must not lead to a link-local, metadata or multicast address")
    if not reach.loopback and any(one.is_loopback or one.is_unspecified for one in meant):
        raise _wrong("must not lead to this machine")
    if reach.networks and not any(one in network for one in meant for network in reach.networks):
        raise _wrong("must lead into the networks of WINDLASS_APPS_HANDLER_NETWORKS")


def _wrong(problem: str) -> ValidationFailed:
    return ValidationFailed.of("url", problem)
