"""Request logic without input or output, shared by the synchronous and the asynchronous client.

A `Talk` is a generator. It yields a `Request` to send or a number of seconds to pause, receives the answer,
and returns its result. `Session` and `AsyncSession` execute it.
"""

import json
import uuid
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from windlass import retries
from windlass.errors import Conflict, ConnectionFailed, ValidationError, WindlassError, error_of
from windlass.retries import Retries
from windlass.transport import Request, Response
from windlass.values import unkept

T = TypeVar("T")
Query = Mapping[str, object]
Wish = Request | float
Came = Response | ConnectionFailed | None  # None after a pause.
Talk = Generator[Wish, Came, T]
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Data and meta of a successful answer; an answer without an envelope has only data."""

    data: Any = None
    meta: Mapping[str, Any]
    pagination: Mapping[str, Any] | None = None  # Of batches, whose answers have no meta.
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Makes talks of one request each; all attempts of a POST have the same Idempotency-Key."""

    api_key: str | None = None
    timeout_s: float = 30.0
    retries: Retries = field(default_factory=Retries)

    def get(self, path: str, query: Query | None = None, *, longer_s: float = 0.0) -> Talk[Answer]:
        """GET; `longer_s` is added to the timeout, for a service that delays its answer (long poll)."""
        return self._ask("GET", path, query, None, timeout_s=self.timeout_s + longer_s)

    def post(
        self,
        path: str,
        content: object = None,
        query: Query | None = None,
        *,
        key: str | None = None,
    ) -> Talk[Answer]:
        """POST; `key` replaces the generated Idempotency-Key."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._ask("POST", path, query, {} if content is None else content, headers)

    def post_anew(self, path: str, content: object) -> Talk[Answer]:
        """POST without a key, repeated when the answer was lost: only for what may be done twice."""
        return self._ask("POST", path, None, content, harmless=True)

    def put(self, path: str, content: Mapping[str, object]) -> Talk[Answer]:
        """PUT."""
        return self._ask("PUT", path, None, content)

    def patch(self, path: str, content: Mapping[str, object], if_match: str | None = None) -> Talk[Answer]:
        """PATCH; `if_match` is the ETag of the version that the change is based on."""
        return self._ask("PATCH", path, None, content, {"If-Match": if_match} if if_match else None)

    def delete(
        self, path: str, query: Query | None = None, content: Mapping[str, object] | None = None
    ) -> Talk[Answer]:
        """DELETE."""
        return self._ask("DELETE", path, query, content)

    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = {"Accept": "application/json, application/problem+json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers

    def _ask(
        self,
        method: str,
        path: str,
        query: Query | None,
        content: object,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        harmless: bool = False,
    ) -> Talk[Answer]:
        request = Request(
            method=method,
            path=path,
            query=_pairs(query or {}),
            headers={**self.headers(), **(headers or {}), **({} if content is None else _JSON)},
            content=None if content is None else _written(content),
            timeout_s=timeout_s or self.timeout_s,
        )
        repeatable = harmless or retries.may_repeat(method, request.headers)
        attempt = 0
        while True:
            outcome = _understood((yield request))
            if isinstance(outcome, Answer):
                return outcome
            error, after = outcome
            pause = self.retries.pause(attempt, after) if _temporary(error, repeatable, attempt) else None
            if pause is None:
                raise error
            yield pause
            attempt += 1


def json_of(content: bytes) -> Any:
    """The JSON value; None when the body is empty or not JSON, such as the page of a proxy."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _written(content: object) -> bytes:
    """The body of a request; raises ValidationError for a value that is not JSON."""
    try:
        return json.dumps(content, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        found = unkept(content) or f"cannot be written as JSON: {error}"
        message = f"The request {found}; nothing was sent"
        raise ValidationError(message, code="VALIDATION_ERROR") from error


def _understood(came: Came) -> Answer | tuple[WindlassError, float | None]:
    """The answer, or the error and the pause that the service asks for."""
    if isinstance(came, ConnectionFailed):
        return came, None
    assert came is not None
    body = json_of(came.content)
    if came.status < 300:
        return _answer(came, body)
    request_id = came.headers.get("x-request-id")
    return error_of(came.status, body, request_id), retries.retry_after(came.headers)


def _temporary(error: WindlassError, repeatable: bool, attempt: int) -> bool:
    """Whether the error may be temporary and the request may be sent again."""
    if isinstance(error, ConnectionFailed):
        return repeatable or not error.sent
    if isinstance(error, Conflict):
        # The service is still working on our first attempt, whose answer was lost.
        return attempt > 0 and error.details.get("reason") == "in_flight"
    return error.status in retries.REFUSED_FOR_NOW or (
        repeatable and error.status in retries.BROKEN_ON_THE_WAY
    )


def _answer(response: Response, body: Any) -> Answer:
    envelope = body if isinstance(body, dict) and "success" in body else {"data": body}
    return Answer(
        data=envelope.get("data"),
        meta=envelope.get("meta") or {},
        pagination=envelope.get("pagination"),
        status=response.status,
        headers=response.headers,
    )


def _pairs(query: Query) -> tuple[tuple[str, str], ...]:
    """The parameters that were given, in the words of the contract; several values are several parameters."""
    return tuple((name, _word(value)) for name, given in query.items() for value in _several(given))


def _several(given: object) -> Iterable[object]:
    if given is None:
        return ()
    return given if isinstance(given, list | tuple) else (given,)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
