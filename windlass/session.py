"""One conversation with the service: credentials, envelope, idempotency keys, retries, errors."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from windlass import retries
from windlass.errors import Conflict, ConnectionFailed, WindlassError, error_of
from windlass.retries import Retries
from windlass.transport import Lines, Request, Response, Transport

Query = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The two halves of a successful envelope."""

    data: Any = None
    meta: Mapping[str, Any]
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Session:
    """Sends requests until they are answered; a POST carries one Idempotency-Key through all its attempts."""

    transport: Transport
    api_key: str | None = None
    timeout_s: float = 30.0
    retries: Retries = field(default_factory=Retries)
    sleep: Callable[[float], None] = time.sleep

    def get(self, path: str, query: Query | None = None, *, longer_s: float = 0.0) -> Answer:
        """Read; `longer_s` is how much longer than usual the service may keep the answer back."""
        return self._ask("GET", path, query, None, timeout_s=self.timeout_s + longer_s)

    def post(
        self,
        path: str,
        content: Mapping[str, Any] | list[Any] | None = None,
        query: Query | None = None,
        *,
        key: str | None = None,
    ) -> Answer:
        """Do; `key` replaces the Idempotency-Key that would be made up."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._ask("POST", path, query, {} if content is None else content, headers)

    def put(self, path: str, content: Mapping[str, Any]) -> Answer:
        """Replace."""
        return self._ask("PUT", path, None, content)

    def patch(self, path: str, content: Mapping[str, Any], if_match: str | None = None) -> Answer:
        """Change; `if_match` is the tag of the version that the change was made from."""
        return self._ask("PATCH", path, None, content, {"If-Match": if_match} if if_match else None)

    def delete(
        self, path: str, query: Query | None = None, content: Mapping[str, Any] | None = None
    ) -> Answer:
        """Remove."""
        return self._ask("DELETE", path, query, content)

    @contextmanager
    def open(self, path: str, headers: Mapping[str, str], silence_s: float) -> Iterator[Lines]:
        """Read an endless answer; `silence_s` is the longest silence. One attempt: the caller goes on."""
        request = Request(
            method="GET",
            path=path,
            headers={**self._headers(), "Accept": "text/event-stream", **headers},
            timeout_s=silence_s,
        )
        with self.transport.open(request) as answer:
            if answer.status != 200:
                body = _json("\n".join(answer.lines).encode())
                raise error_of(answer.status, body, answer.headers.get("x-request-id"))
            yield answer

    def _ask(
        self,
        method: str,
        path: str,
        query: Query | None,
        content: Any,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        request = Request(
            method=method,
            path=path,
            query=_pairs(query or {}),
            headers={**self._headers(), **(headers or {}), **({} if content is None else _JSON)},
            content=None if content is None else json.dumps(content).encode(),
            timeout_s=timeout_s or self.timeout_s,
        )
        attempt = 0
        while True:
            outcome = self._attempt(request)
            if isinstance(outcome, Answer):
                return outcome
            error, after = outcome
            pause = self.retries.pause(attempt, after) if _temporary(error, request, attempt) else None
            if pause is None:
                raise error
            self.sleep(pause)
            attempt += 1

    def _attempt(self, request: Request) -> Answer | tuple[WindlassError, float | None]:
        """The answer, or the error and the pause that the service asks for."""
        try:
            response = self.transport.send(request)
        except ConnectionFailed as error:
            return error, None
        body = _json(response.content)
        if response.status < 300:
            return _answer(response, body)
        request_id = response.headers.get("x-request-id")
        return error_of(response.status, body, request_id), retries.retry_after(response.headers)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


_JSON = {"Content-Type": "application/json"}


def _temporary(error: WindlassError, request: Request, attempt: int) -> bool:
    """Whether the same request may go well a moment later, and may be sent again at all."""
    repeatable = retries.may_repeat(request.method, request.headers)
    if isinstance(error, ConnectionFailed):
        return repeatable or not error.sent
    if isinstance(error, Conflict):
        # Our own first attempt, whose answer was lost, is still being worked on.
        return attempt > 0 and error.details.get("reason") == "in_flight"
    return error.status in retries.REFUSED_FOR_NOW or (
        repeatable and error.status in retries.BROKEN_ON_THE_WAY
    )


def _answer(response: Response, body: Any) -> Answer:
    envelope = body if isinstance(body, dict) and "success" in body else {"data": body}
    return Answer(
        data=envelope.get("data"),
        meta=envelope.get("meta") or {},
        status=response.status,
        headers=response.headers,
    )


def _json(content: bytes) -> Any:
    """The JSON value, or None when the body is empty or comes from somebody who speaks no JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _pairs(query: Query) -> tuple[tuple[str, str], ...]:
    """The parameters that were given, in the words of the contract; several values are several parameters."""
    return tuple((name, _word(value)) for name, given in query.items() for value in _several(given))


def _several(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    return given if isinstance(given, list | tuple) else (given,)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
