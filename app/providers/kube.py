"""One Kubernetes API server, through the official client: few verbs, any resource, answers read by ourselves.

The client's typed calls know one status an operation and lose the object that a server-side apply *creates*;
its raw call gives us its connections, TLS and serialisation, and leaves the answer to us (`kube_answers`).
"""

import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, SSLError

from app.domain.errors import KubeNotFound, KubeUnreachable, Permanent
from app.domain.ownership import MANAGER
from app.providers import kube_answers as answers
from app.providers.kube_answers import Object

__all__ = ["PAGE", "Kube", "Object"]
CONNECT_S, READ_S = 3.0, 10.0
PAGE = 500  # Objects of one page of a list.
CHUNK = 65_536  # Bytes of a stream that are taken at a time.
_LOADING = threading.Lock()
APPLY = "application/apply-patch+yaml"  # JSON is YAML.


class Kube:
    """An API server and who we are to it; an access is what `app.providers.kubeconfig.cleaned` returns."""

    def __init__(self, access: Mapping[str, object]) -> None:
        self.server = str(access["server"])
        self._api, self._refusal = _client(access)
        self._streams: list[Any] = []

    def get(self, path: str) -> Object | None:
        """One object, or None when the API server says of this very one that it is not there."""
        try:
            return answers.checked(self.call("GET", path), path)
        except KubeNotFound as error:
            _check_gone(error, path)
            return None

    def list(self, path: str, **query: object) -> Iterator[Object]:
        """All objects of a collection, a page at a time; ``query`` holds selectors."""
        more: dict[str, object] = {}
        while True:
            asked = {**query, "limit": PAGE, **more}
            page = answers.checked_list(self.call("GET", path, query=asked), path)
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more = {"continue": token}

    def apply(self, path: str, content: Mapping[str, object], *, force: bool = False) -> Object:
        """Server-side apply as our field manager: the object as it then is.

        Whatever we owned and leave out now is given up, so ``content`` is always all that we want. With a
        ``metadata.uid`` it changes that very object and makes no new one. ``force`` takes over what others
        have set; without it that is a `KubeConflict`.
        """
        query = {"fieldManager": MANAGER, "force": str(force).lower()}
        return answers.checked(self.call("PATCH", path, content, query=query, type_=APPLY), path)

    def delete(self, path: str, uid: str | None = None) -> bool:
        """Ask for the end of an object, of that very one when its uid is given; False when there is none."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", **body}
        try:
            self.call("DELETE", path, options)
        except KubeNotFound as error:
            _check_gone(error, path)
            return False
        return True

    def put(self, path: str, content: Mapping[str, object]) -> None:
        """Call a subresource that acts rather than stores."""
        self.call("PUT", path, content)

    def call(
        self,
        method: str,
        path: str,
        content: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, object] | None = None,
        type_: str = "application/json",
    ) -> Object:
        """Any request; raises one of the Kubernetes errors of `app.domain.errors`."""
        attempt = f"{method} {path}"
        url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {**self._api.default_headers, "Accept": "application/json", "Content-Type": type_}
        with self._reaching(attempt):
            answer = self._api.call_api(
                method, url, headers, None if content is None else dict(content), None, (CONNECT_S, READ_S)
            )
            body = answer.read()
        return answers.answered(answer.status, body, answer.getheader("Retry-After"), attempt)

    def lines(self, path: str, *, query: Mapping[str, object], silence_s: float) -> Iterator[bytes]:
        """The lines of an answer as they come, until it ends; a longer silence is as good as a cut."""
        attempt = f"GET {path}"
        url = f"{self._api.configuration.host}{path}?{urlencode(query)}"
        headers = {**self._api.default_headers, "Accept": "application/json"}
        with self._reaching(attempt):
            answer = self._api.call_api("GET", url, headers, None, None, (CONNECT_S, silence_s))
            if answer.status != 200:
                answers.answered(answer.status, answer.read(), answer.getheader("Retry-After"), attempt)
            with self._interruptible(answer.response) as response:
                rest = b""
                for piece in response.stream(CHUNK):
                    *whole, rest = (rest + piece).split(b"\n")
                    yield from whole

    def interrupt(self) -> None:
        """End every stream now, from whatever thread: whoever reads it sees it cut."""
        for response in self._streams:
            with suppress(OSError, ValueError):
                response.shutdown()

    @contextmanager
    def _reaching(self, attempt: str) -> Iterator[None]:
        """Turn what went wrong on the way into `KubeUnreachable`."""
        try:
            yield
        except HTTPError as error:
            raise _unreachable(error, attempt, self.server) from error
        except self._refusal as error:  # What the official client makes of TLS that failed: nothing was sent.
            why = " ".join(str(getattr(error, "reason", error)).split())
            raise KubeUnreachable(f"{attempt} at {self.server}: {why}", nothing_happened=True) from error

    @contextmanager
    def _interruptible(self, response: Any) -> Iterator[Any]:
        self._streams.append(response)
        try:
            with response:
                yield response
        finally:
            self._streams.remove(response)

    def close(self) -> None:
        """Give back the connections."""
        self._api.close()


def _official() -> tuple[Any, Any, type[Exception]]:
    """The official client's ``ApiClient``, ``Configuration`` and ``ApiException``.

    It loads its own parts on first use, in which two threads at once fail for good: they take turns.
    """
    with _LOADING:
        try:
            official: Any = import_module("kubernetes.client")
        except ImportError:
            raise Permanent("The Kubernetes client is missing: pip install 'windlass[kubernetes]'") from None
        return official.ApiClient, official.Configuration, official.ApiException


def _client(access: Mapping[str, object]) -> tuple[Any, type[Exception]]:
    """The official client without its own retries, proxies and temporary files, and what it may raise itself.

    It is loaded here, on first use: it is large, and an extra that many installations do without.
    """
    new_client, new_configuration, refusal = _official()
    configuration = new_configuration(host=str(access["server"]), ca_cert_data=access.get("ca"))
    configuration.proxy = None
    configuration.retries = False
    configuration.verify_ssl = not access.get("insecure")
    if access.get("serverName"):
        configuration.tls_server_name = str(access["serverName"])
    api = new_client(configuration)
    if access.get("certificate"):
        api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _context(access)
    if access.get("token"):
        api.set_default_header("Authorization", f"Bearer {access['token']}")
    api.user_agent = MANAGER
    return api, refusal


def _context(access: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS with a client certificate; its key goes through memory, never through a file system."""
    context = ssl.create_default_context(cadata=access.get("ca"))
    if access.get("insecure"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with _in_memory(f"{access['certificate']}\n{access['key']}") as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    number = os.memfd_create("windlass", os.MFD_CLOEXEC)
    try:
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _check_gone(error: KubeNotFound, path: str) -> None:
    """Raise `KubeUnreachable` when it is something else that is not there."""
    if not answers.says_gone(error, path):
        what = answers.place(path).told
        raise KubeUnreachable(
            f"{error.message}: that is no word about {what}", nothing_happened=True
        ) from error


def _unreachable(error: HTTPError, attempt: str, server: str) -> KubeUnreachable:
    """Only what failed before anything was sent is certain to have changed nothing."""
    cause = error.reason if isinstance(error, MaxRetryError) else error
    unsent = isinstance(cause, NewConnectionError | ConnectTimeoutError | SSLError)
    return KubeUnreachable(f"{attempt} at {server}: {cause}", nothing_happened=unsent)
