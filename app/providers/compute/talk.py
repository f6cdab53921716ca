"""One HTTP conversation with a cloud: short timeouts, no repetition by itself, failures told apart.

Each request has a connection of its own: on one that was kept, and that the other side has closed meanwhile,
an order that was never read could not be told from one whose answer was lost.

An answer that was lost leaves the outcome of an order unknown; one that was refused, or never sent, does not.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, wraps
from typing import Any, TypeVar, cast

import httpx

from app.domain.clock import retry_after_ms
from app.domain.errors import CloudThrottled, CloudUnreachable

Method = TypeVar("Method", bound=Callable[..., Any])
TIMEOUT = httpx.Timeout(20.0, connect=3.0)
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
WHOLE_S = 60.0  # That an answer may take, however steadily it drips.
LARGEST = 33_554_432  # Bytes of an answer.
LEFT_ALONE_MS = 1_000  # What a throttled answer asks for that does not say how long.


class Talk:
    """A base URL and who asks there."""

    def __init__(self, base: str, auth: httpx.Auth | None = None) -> None:
        self.base, self._auth = base.rstrip("/"), auth
        self.skew_ms: int | None = None  # Their clock less ours, by the last answer.

    def send(
        self,
        method: str,
        path: str,
        *,
        attempt: str,
        orders: bool,
        content: bytes | None = None,
        json: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Any answer below 500 but a throttled one; ``orders`` says whether the request changes something."""
        try:
            with (
                self._client() as client,
                client.stream(
                    method, path, content=content, json=json, params=params, headers=headers
                ) as coming,
            ):
                answer = _whole(coming)
        except httpx.HTTPError as error:
            unsent = isinstance(error, UNSENT)
            why = str(error) or type(error).__name__
            raise self.lost(attempt, why, orders=orders and not unsent) from error
        self.skew_ms = _skew(answer.headers.get("Date"))
        asked = answer.headers.get("Retry-After")
        if answer.status_code == 429 or (answer.status_code == 503 and asked):
            raise self.throttled(attempt, asked)
        return answer

    def lost(self, attempt: str, why: str, *, orders: bool) -> CloudUnreachable:
        """The error for an answer that says nothing about what was asked."""
        return CloudUnreachable(f"{attempt} at {self.base}: {why}", nothing_happened=not orders)

    def throttled(self, attempt: str, asked: str | None = None) -> CloudThrottled:
        """The error for a cloud that wants to be left alone."""
        wait = retry_after_ms(asked, datetime.now(UTC))
        error = CloudThrottled(f"{attempt} at {self.base}: asked too often")
        error.retry_after_ms = wait or LEFT_ALONE_MS
        return error

    def _client(self) -> httpx.Client:
        # A proxy of the environment, or a netrc, must not come between an account and its cloud.
        return httpx.Client(
            base_url=self.base, auth=self._auth, timeout=TIMEOUT, trust_env=False, verify=_authorities()
        )


def sensible(*, orders: bool = False) -> Callable[[Method], Method]:
    """Declare a method of a driver that reads an answer: one in which it misses something says nothing.

    Such as the JSON of a proxy. What it raises then is `CloudUnreachable`, and not the slip of the reader.
    """

    def declared(method: Method) -> Method:
        @wraps(method)
        def asked(self: Any, *given: Any, **named: Any) -> Any:
            try:
                return method(self, *given, **named)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                why = f"the answer makes no sense: {type(error).__name__} {error}"
                raise self._talk.lost(method.__name__, why, orders=orders) from error

        return cast("Method", asked)

    return declared


def _whole(coming: httpx.Response) -> httpx.Response:
    """The answer with its body; raises `httpx.ReadError` for one that is too long, in bytes or in time."""
    until, content = time.monotonic() + WHOLE_S, bytearray()
    for some in coming.iter_bytes():
        content += some
        if len(content) > LARGEST:
            raise httpx.ReadError(f"the answer has more than {LARGEST} bytes")
        if time.monotonic() > until:
            raise httpx.ReadError(f"the answer took longer than {WHOLE_S:.0f} s")
    headers = [(name, value) for name, value in coming.headers.multi_items() if name != "content-encoding"]
    return httpx.Response(coming.status_code, headers=headers, content=bytes(content), request=coming.request)


@cache
def _authorities() -> ssl.SSLContext:
    return ssl.create_default_context()


def _skew(date: str | None) -> int | None:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    return round((theirs - time.time()) * 1000)
