"""An HTTP client for clouds: short timeouts, no automatic retries, and an exact error for each failure.

Each request has a connection of its own: on a kept connection that the other side has closed meanwhile, an
order that was never read cannot be distinguished from one whose answer was lost.

A lost answer leaves the outcome of an order unknown; an order that was refused or never sent has no effect.
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
WHOLE_S = 60.0  # The longest time for a whole answer, even if bytes keep coming.
LARGEST = 33_554_432  # Bytes of an answer.
LEFT_ALONE_MS = 1_000  # The pause after a throttled answer without Retry-After.


class HttpClient:
    """A client for one base URL, with its authentication."""

    def __init__(self, base: str, auth: httpx.Auth | None = None) -> None:
        self.base, self._auth = base.rstrip("/"), auth
        self.skew_ms: int | None = None  # The cloud's clock minus ours, from the last answer.

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
        """Send a request; any answer that is not throttled is returned. ``orders``: it changes something."""
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
        """The error for an answer from which the outcome is not known."""
        return CloudUnreachable(f"{attempt} at {self.base}: {why}", nothing_happened=not orders)

    def throttled(self, attempt: str, asked: str | None = None) -> CloudThrottled:
        """The error for a throttled request."""
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
    """Declare a method of a driver that parses an answer: a parsing error becomes `CloudUnreachable`.

    An answer without the expected members may be that of a proxy.
    """

    def declared(method: Method) -> Method:
        @wraps(method)
        def asked(self: Any, *given: Any, **named: Any) -> Any:
            try:
                return method(self, *given, **named)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                why = f"the answer makes no sense: {type(error).__name__} {error}"
                raise self._http.lost(method.__name__, why, orders=orders) from error

        return cast("Method", asked)

    return declared


def _whole(coming: httpx.Response) -> httpx.Response:
    """The answer with its body; raises `httpx.ReadError` for a body that is too large or takes too long."""
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
