"""What each answer of an API server becomes; the answers are made up here, byte by byte."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.domain.errors import KubeConflict, KubeError, KubeQuotaExceeded, KubeRefused, KubeUnreachable
from app.providers.kube import Kube


@contextmanager
def answering(answer: bytes) -> Iterator[Kube]:
    """A client of a server that gives one answer to everything and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        client = Kube({"server": f"http://127.0.0.1:{listening.getsockname()[1]}", "token": "t"})
        yield client
        thread.join()


def told(status: str, body: str = "", *headers: str) -> bytes:
    """An answer as it goes over the wire."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("answer", "error", "nothing_happened"),
    [
        (told("503 Unavailable"), KubeUnreachable, False),
        (told("429 Too Many Requests", "", "Retry-After: 7"), KubeUnreachable, True),
        (told("409 Conflict", '{"message": "stale"}'), KubeConflict, True),
        (told("410 Gone", '{"reason": "Expired"}'), KubeConflict, True),
        (told("422 Invalid", '{"message": "spec.template: Required"}'), KubeRefused, True),
        (told("403 Forbidden", '{"message": "exceeded quota: small"}'), KubeQuotaExceeded, True),
        (told("200 OK", "<html>"), KubeUnreachable, False),
        (b"", KubeUnreachable, False),  # The connection is lost after the request was sent.
    ],
    ids=["503", "429", "409", "410", "422", "quota", "garbled", "lost"],
)
def test_every_answer_becomes_the_error_that_it_amounts_to(
    answer: bytes, error: type[KubeError], nothing_happened: bool
) -> None:
    with answering(answer) as client, pytest.raises(error) as raised:
        client.apply("/api/v1/namespaces/default/configmaps/x", {"kind": "ConfigMap"})
    assert raised.value.nothing_happened is nothing_happened


@pytest.mark.parametrize(
    ("status", "header", "asked_ms"),
    [
        (429, "Retry-After: 7", 7_000),
        (503, "Retry-After: 120", 120_000),
        (503, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT", 86_400_000),
        (503, "Retry-After: soon", 0),
        (503, "X-Nothing: 7", 0),
    ],
)
def test_how_long_an_overloaded_server_wants_to_be_left_alone_is_told(
    status: int, header: str, asked_ms: int
) -> None:
    with answering(told(f"{status} Later", "", header)) as client, pytest.raises(KubeUnreachable) as raised:
        client.get("/version")
    assert raised.value.details["status"] == status
    assert raised.value.retry_after_ms == asked_ms


ONE = "/apis/windlass.test/v1/namespaces/default/wishes/one"
NOT_FOUND = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}
OTHERS = [
    "404 page not found\n",
    "<html>nothing here</html>",
    '{"error": "no route"}',
    json.dumps(NOT_FOUND),
    json.dumps({**NOT_FOUND, "details": {}}),
    json.dumps({**NOT_FOUND, "details": {"name": "one", "group": "windlass.test", "kind": "wants"}}),
    json.dumps({**NOT_FOUND, "details": {"name": "two", "group": "windlass.test", "kind": "wishes"}}),
    json.dumps({**NOT_FOUND, "details": {"name": "one", "group": "other.test", "kind": "wishes"}}),
    json.dumps({**NOT_FOUND, "details": {"name": "default", "kind": "namespaces"}}),
]


@pytest.mark.parametrize("body", OTHERS)
@pytest.mark.parametrize("ask", [Kube.get, Kube.delete], ids=["get", "delete"])
def test_a_404_that_does_not_name_the_object_does_not_say_that_it_is_gone(
    ask: Callable[[Kube, str], object], body: str
) -> None:
    with answering(told("404 Not Found", body)) as client, pytest.raises(KubeUnreachable) as raised:
        ask(client, ONE)
    assert (raised.value.retryable, raised.value.nothing_happened) == (True, True)


def test_a_404_that_names_the_object_says_that_it_is_gone() -> None:
    details = {"name": "one", "group": "windlass.test", "kind": "wishes"}
    body = json.dumps({**NOT_FOUND, "details": details})
    with answering(told("404 Not Found", body)) as client:
        assert client.get(ONE) is None
    with answering(told("404 Not Found", body)) as client:
        assert client.delete(ONE) is False


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        '{"status": "ok"}',
        '{"kind": "Status", "apiVersion": "v1", "status": "Success"}',
        '{"kind": "WishList", "apiVersion": "windlass.test/v1", "metadata": {"resourceVersion": "7"}}',
        '{"kind": "WishList", "apiVersion": "a.test/v1", "metadata": {"resourceVersion": "7"}, "items": []}',
        '{"kind": "WishList", "apiVersion": "windlass.test/v1", "items": []}',
        '{"kind": "Wish", "apiVersion": "windlass.test/v1", "metadata": {"name": "two", "uid": "u"}}',
    ],
)
def test_a_good_answer_about_something_else_says_nothing(body: str) -> None:
    with answering(told("200 OK", body)) as client, pytest.raises(KubeUnreachable):
        list(client.list(ONE.rpartition("/")[0]))
    with answering(told("200 OK", body)) as client, pytest.raises(KubeUnreachable):
        client.get(ONE)
