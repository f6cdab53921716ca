"""The boot service's client: orders, asks, withdraws, and says what is wrong."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.domain.errors import Permanent
from app.lab import Lab
from app.providers.boot import BootService, BootServiceFailed, Order

IMAGE = {"url": "https://images.example/debian.qcow2", "checksum": "abc"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One machine; its lab is the boot service."""
    with Lab(1) as opened:
        yield opened


def test_an_order_is_open_until_the_machine_has_installed_it(lab: Lab) -> None:
    boot = BootService(lab.control_url)

    boot.order(lab.machines[0].address, IMAGE, "http://127.0.0.1:9/hook")

    assert boot.ordered(lab.machines[0].address) == Order()


def test_an_order_can_be_withdrawn_twice(lab: Lab) -> None:
    boot = BootService(lab.control_url)

    boot.withdraw(lab.machines[0].address)
    boot.withdraw(lab.machines[0].address)

    assert boot.ordered(lab.machines[0].address) == Order()


def test_a_machine_that_the_service_does_not_know_is_an_error_that_names_the_call(lab: Lab) -> None:
    with pytest.raises(BootServiceFailed, match=r"POST http://.*/boot: HTTP Error 404"):
        BootService(lab.control_url).order("10.9.9.9:623", IMAGE, "http://127.0.0.1:9/hook")


def test_a_service_that_is_away_may_be_tried_again() -> None:
    with pytest.raises(BootServiceFailed) as failed:
        BootService("http://127.0.0.1:9").ordered("10.0.0.1:623")

    assert failed.value.retryable


def test_without_a_service_the_setting_is_named() -> None:
    with pytest.raises(Permanent, match="WINDLASS_BOOT_URL"):
        BootService("").withdraw("10.0.0.1:623")


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A service that says this to the first one who asks, byte for byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def said(body: bytes, length: int | None = None) -> bytes:
    """A success with this body."""
    announced = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (announced, body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{}"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        *(said(b"[1]"), said(b"5"), said(b'"installed"'), said(b"[" * 100_000), said(b"\xff")),
        *(said(b"", 20), said(b'{"installed": true}', 40), said(b" " * 1_048_577), CHUNKED, MOVED),
        *(b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"),
    ],
)
def test_an_answer_that_says_nothing_of_the_order_is_an_error_that_may_be_tried_again(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(BootServiceFailed) as failed:
        BootService(url).order("10.0.0.1:623", IMAGE, "http://127.0.0.1:9/hook")
    assert failed.value.retryable


@pytest.mark.parametrize("word", [b'"false"', b'"no"', b'"true"', b"1", b"[0]", b"null"])
def test_nothing_but_true_says_that_an_order_is_done(word: bytes) -> None:
    with answering(said(b'{"installed": %b, "wiped": %b, "failed": %b}' % (word, word, word))) as url:
        assert BootService(url).ordered("10.0.0.1:623") == Order()
