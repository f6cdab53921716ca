"""One attempt to deliver a webhook to a receiver that may be slow, broken or hostile.

The request goes to the pinned address, with the host's name in SNI, certificate check and Host header. There
are no redirects, proxies, cookies or decompression; one deadline covers everything from the connection to
the last byte read, however the receiver spreads its bytes.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from app.domain.clock import retry_after_ms
from app.domain.errors import ValidationFailed
from app.webhooks.connection import Deadline, connected
from app.webhooks.guard import Allow, Pinned, Resolver, judge, resolve, within

STANDING_HEADERS = {
    "content-type": "application/json",
    "user-agent": "Windlass-Webhooks/1",
    "accept-encoding": "identity",
    "connection": "close",
}

Verdict = Literal["delivered", "retry", "gone"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a receiver may take and how much it may say."""

    resolve_s: float = 5.0  # For the name, before the rest.
    connect_s: float = 5.0  # For the TCP connection, all addresses together.
    total_s: float = 15.0  # From the first packet to the last byte read.
    answer_bytes: int = 4096


LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What became of one attempt."""

    status: int | None = None  # None when no answer came.
    latency_ms: int
    answer: str = ""  # The first 4 KiB of the answer's body; what is not UTF-8 is replaced.
    error: str | None = None  # Why it is no success, in a few words.
    retry_after_ms: int | None = None  # What the receiver asked for, at most 24 h.
    verdict: Verdict


def deliver(
    url: str,
    allow: Allow,
    headers: Mapping[str, str],
    body: bytes,
    *,
    resolver: Resolver = resolve,
    limits: Limits = LIMITS,
    tls: ssl.SSLContext | None = None,
) -> Attempt:
    """Resolve, judge and post; whatever the network does is an `Attempt`, never an error.

    A URL that is refused now may have been rebound by its owner and be right again later, so it is retried.
    """
    began = time.monotonic()
    try:
        pinned = judge(url, allow, within(limits.resolve_s, resolver))
    except ValidationFailed as error:
        return Attempt(latency_ms=_since(began), error=error.message, verdict="retry")
    return post(pinned, headers, body, limits=limits, tls=tls)


def post(
    pinned: Pinned,
    headers: Mapping[str, str],
    body: bytes,
    *,
    limits: Limits = LIMITS,
    tls: ssl.SSLContext | None = None,
) -> Attempt:
    """One POST to a judged destination; `tls` replaces the machine's certificate authorities."""
    began, deadline = time.monotonic(), Deadline(limits.total_s)
    try:
        with connected(pinned, limits.connect_s, deadline, tls) as wire:
            connection = http.client.HTTPConnection(pinned.host, pinned.port)
            connection.sock = wire
            _ask(connection, pinned, headers, body)
            response = connection.getresponse()
            answer = _beginning(response, limits.answer_bytes)
    except (OSError, http.client.HTTPException) as error:
        return Attempt(latency_ms=_since(began), error=_in_words(error), verdict="retry")
    return _attempt(response, answer, _since(began))


def _ask(
    connection: http.client.HTTPConnection, pinned: Pinned, headers: Mapping[str, str], body: bytes
) -> None:
    connection.putrequest("POST", pinned.target, skip_host=True, skip_accept_encoding=True)
    fixed = {"host": pinned.authority, "content-length": str(len(body))}
    for name, value in {**STANDING_HEADERS, **headers, **fixed}.items():
        connection.putheader(name, value)
    connection.endheaders(body)


def _beginning(response: http.client.HTTPResponse, most: int) -> bytes:
    """The first bytes of the body; the status has said what counts, so breaking off is no failure."""
    parts: list[bytes] = []
    try:
        while most > 0 and (part := response.read1(most)):
            parts.append(part)
            most -= len(part)
    except (OSError, http.client.HTTPException):
        pass
    return b"".join(parts)


def _attempt(response: http.client.HTTPResponse, answer: bytes, latency_ms: int) -> Attempt:
    success = 200 <= response.status < 300
    pause = None if success else retry_after_ms(response.getheader("retry-after"), datetime.now(UTC))
    return Attempt(
        status=response.status,
        latency_ms=latency_ms,
        # PostgreSQL keeps no NUL in a text.
        answer=answer.decode("utf-8", "replace").replace("\0", "\ufffd"),
        error=None if success else f"answered {response.status}",
        retry_after_ms=pause,
        verdict="delivered" if success else "gone" if response.status == 410 else "retry",
    )


def _in_words(error: OSError | http.client.HTTPException) -> str:
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection failed")


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "no answer within the time limit"),
    (ConnectionRefusedError, "the connection was refused"),
    (ssl.SSLCertVerificationError, "the certificate is not valid for this host"),
    (ssl.SSLError, "the TLS handshake failed"),
    (ConnectionError, "the connection was closed before an answer came"),
    (http.client.HTTPException, "the answer was not HTTP"),
)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
