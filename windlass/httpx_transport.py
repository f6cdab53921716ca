"""The one module that knows the HTTP library; another library means another `Transport`, nothing else.

It is imported when a client is made, since the library takes longer to load than all of Windlass's client.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from windlass.errors import ConnectionFailed
from windlass.transport import Lines, Request, Response


class HttpxTransport:
    """HTTP over httpx; safe to share between threads."""

    def __init__(self, base_url: str) -> None:
        # Not httpx's own trust in proxies of the environment: loopback must never go through one.
        self._http = httpx.Client(
            base_url=base_url, trust_env=not _is_loopback(base_url), verify=_trusted(base_url)
        )

    def send(self, request: Request) -> Response:
        with _translated(self._http.base_url):
            answer = self._http.request(request.method, request.path, **_given(request))
        return Response(status=answer.status_code, headers=_lower(answer), content=answer.content)

    @contextmanager
    def open(self, request: Request) -> Iterator[Lines]:
        with _translated(self._http.base_url):
            call = self._http.build_request(request.method, request.path, **_given(request))
            answer = self._http.send(call, stream=True)
        try:
            yield Lines(status=answer.status_code, headers=_lower(answer), lines=self._lines(answer))
        finally:
            answer.close()

    def close(self) -> None:
        self._http.close()

    def _lines(self, answer: httpx.Response) -> Iterator[str]:
        """Lines by LF or CRLF alone: str.splitlines would also cut at U+2028 inside a JSON text."""
        rest = b""
        with _translated(self._http.base_url):
            for chunk in answer.iter_bytes():
                *whole, rest = (rest + chunk).split(b"\n")
                yield from map(_line, whole)
        if rest:
            yield _line(rest)


class AsyncHttpxTransport:
    """HTTP over httpx for one event loop."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, trust_env=not _is_loopback(base_url), verify=_trusted(base_url)
        )

    async def send(self, request: Request) -> Response:
        with _translated(self._http.base_url):
            answer = await self._http.request(request.method, request.path, **_given(request))
        return Response(status=answer.status_code, headers=_lower(answer), content=answer.content)

    async def close(self) -> None:
        await self._http.aclose()


def _given(request: Request) -> dict[str, Any]:
    return {
        "params": list(request.query),
        "headers": dict(request.headers),
        "content": request.content,
        "timeout": request.timeout_s,
    }


def _line(content: bytes) -> str:
    return content.removesuffix(b"\r").decode("utf-8", "replace")


def _is_loopback(url: str) -> bool:
    return httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")


def _trusted(url: str) -> ssl.SSLContext | bool:
    """Whose certificates are accepted: nobody's at a plain address of this machine, the usual ones elsewhere.

    To load the usual ones takes longer than many a request.
    """
    is_plain = httpx.URL(url).scheme == "http" and _is_loopback(url)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True


def _lower(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


@contextmanager
def _translated(url: httpx.URL) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except httpx.UnsupportedProtocol as error:
        raise ConnectionFailed(f"{url} is no http or https address.", sent=False) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ConnectionFailed(f"{_origin(url)} cannot be reached: {error}", sent=False) from error
    except httpx.TimeoutException as error:
        raise ConnectionFailed(f"{_origin(url)} did not answer in time.") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise ConnectionFailed(f"The connection to {_origin(url)} was lost: {error}") from error


def _origin(url: httpx.URL) -> str:
    return str(url).rstrip("/")
