"""What each answer of an API server becomes; the answers are made up here, byte by byte."""

import socket
import threading
from collections.abc import Iterator
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


def test_how_long_an_overloaded_server_wants_to_be_left_alone_is_told() -> None:
    answer = told("429 Too Many Requests", "", "Retry-After: 7")
    with answering(answer) as client, pytest.raises(KubeUnreachable) as raised:
        client.get("/version")
    assert raised.value.details == {"status": 429, "retryAfter": "7"}
    assert raised.value.retry_after_ms == 7_000
