"""The server under clients that are slow, silent, ambiguous or gone: others are served all the same."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from tests.integration.serving.program import LIMITS, THREADS
from tests.support.ports import free_port
from tests.support.servers import until

HOST = "127.0.0.1"
PATIENCE_S = 15.0
HELLO = b"Host: localhost\r\nContent-Type: application/json\r\n"
# What a connection sends and then leaves at that.
UNFINISHED = {
    "nothing": b"",
    "one byte": b"G",
    "half a head": b"POST / HTTP/1.1\r\nHost: local",
    "half a body": b"POST / HTTP/1.1\r\n" + HELLO + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": b"POST / HTTP/1.1\r\n" + HELLO + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
}


class Served:
    """The small application on a port."""

    def __init__(self, folder: Path, factory: str = "made", port: int | None = None) -> None:
        self.port = port or free_port()
        self.held = folder / "held"
        self.held.touch()
        self.log = folder / f"{factory}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.serving.program", str(self.port), factory],
                cwd=Path(__file__).parents[3],
                env={**os.environ, "HELD": str(self.held)},
                stdout=log,
                stderr=log,
            )

    def get(self, path: str = "/") -> int:
        """The status of a request on a connection of its own."""
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE_S)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status

    def answers(self) -> bool:
        """Whether it is there already."""
        with suppress(OSError):
            return self.get() == 200
        return False

    def send(self, data: bytes) -> socket.socket:
        """A connection that has sent this."""
        connection = socket.create_connection((HOST, self.port), timeout=PATIENCE_S)
        connection.sendall(data)
        return connection

    def ask(self, data: bytes) -> bytes:
        """Everything that is answered until the server closes the connection."""
        answer = b""
        with self.send(data) as connection, suppress(ConnectionError):
            while received := connection.recv(65_536):
                answer += received
        return answer

    def close(self) -> None:
        """Stop it."""
        self.held.unlink(missing_ok=True)
        self.process.terminate()
        self.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The small application, answering, one for all tests that leave it as it is."""
    yield from _answering(tmp_path_factory.mktemp("served"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """One of its own for a test that changes it."""
    yield from _answering(tmp_path)


def _answering(folder: Path, factory: str = "made") -> Iterator[Served]:
    made = Served(folder, factory)
    try:
        until(made.answers, 60, "the server answers")
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_connections_that_stay_unfinished_hold_nobody_up(served: Served, data: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(served.send(data))
        assert [served.get() for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_connection_that_stays_unfinished_is_closed(served: Served, data: bytes) -> None:
    answer = served.ask(data)
    assert (b" 408 " in answer and b"within 1 s" in answer) if b"\r\n\r\n" in data else not answer


def test_probes_answer_while_every_thread_is_taken(own: Served) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS * 2):
            stack.enter_context(own.send(b"GET /hold HTTP/1.1\r\n" + HELLO + b"\r\n"))
        assert [own.get(path) for path in ("/livez", "/readyz", "/livez")] == [200] * 3


@pytest.mark.parametrize("length", [b"Content-Length: 500000", b"Transfer-Encoding: chunked"])
def test_the_sender_of_too_much_gets_to_know_the_limit(served: Served, length: bytes) -> None:
    size = b"7a120\r\n" if b"chunked" in length else b""
    end = b"\r\n0\r\n\r\n" if size else b""
    answer = served.ask(b"POST / HTTP/1.1\r\n" + HELLO + length + b"\r\n\r\n" + size + b"a" * 500_000 + end)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert f"more than {LIMITS.body_bytes} bytes".encode() in answer


@pytest.mark.parametrize(
    ("head", "body", "problem"),
    [
        (b"", b"", b"needs the header Host"),
        (b"Host: a\r\nHost: b\r\n", b"", b"host is given more than once"),
        (HELLO + b"Authorization: a\r\nAuthorization: b\r\n", b"", b"authorization is given more than once"),
        (HELLO + b"Idempotency-Key: \xe9\r\n", b"", b"visible ASCII"),
        (HELLO + b"Transfer-Encoding: chunked\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"empty or was cut off"),
        (HELLO + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"empty or was cut off"),
    ],
)
def test_what_could_mean_two_things_is_refused(
    served: Served, head: bytes, body: bytes, problem: bytes
) -> None:
    answer = served.ask(b"POST / HTTP/1.1\r\n" + head + b"\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem in answer


@pytest.mark.parametrize("head", [b"Content-Length: -1", b"Content-Length: 2\r\nContent-Length: 3"])
def test_a_length_that_is_none_is_refused(served: Served, head: bytes) -> None:
    assert served.ask(b"POST / HTTP/1.1\r\n" + HELLO + head + b"\r\n\r\n{}").startswith(b"HTTP/1.1 400 ")


def test_no_header_moves_a_request_to_another_path(served: Served) -> None:
    answer = served.ask(
        b"GET /public/crash HTTP/1.1\r\n" + HELLO + b"SCRIPT_NAME: /public\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_what_the_application_lets_through_is_a_500_without_its_innards(served: Served) -> None:
    answer = served.ask(b"GET /crash HTTP/1.1\r\n" + HELLO + b"\r\n")
    assert b"INTERNAL_ERROR" in answer
    assert b"on purpose" not in answer


def test_a_stream_ends_with_its_client(served: Served) -> None:
    opened = served.held.with_name("opened")
    with served.send(b"GET /stream HTTP/1.1\r\n" + HELLO + b"\r\n") as connection:
        assert b"text/event-stream" in connection.recv(1_000)
        until(opened.exists, why="the stream has begun")
    until(lambda: not opened.exists(), why="the stream has ended")


def test_its_processes_end_with_it(own: Served) -> None:
    children = psutil.Process(own.process.pid).children()
    os.kill(own.process.pid, signal.SIGKILL)
    own.process.wait(PATIENCE_S)
    assert children
    assert not psutil.wait_procs(children, PATIENCE_S)[1]


def test_a_process_that_dies_is_replaced(own: Served) -> None:
    os.kill(psutil.Process(own.process.pid).children()[0].pid, signal.SIGKILL)
    until(own.answers, 60, "another process answers")


def test_a_process_is_replaced_though_nobody_was_told_of_its_death(tmp_path: Path) -> None:
    for own in _answering(tmp_path, "deaf"):
        os.kill(psutil.Process(own.process.pid).children()[0].pid, signal.SIGKILL)
        until(own.answers, 60, "another process answers")


def test_a_process_that_dies_twice_within_a_second_is_replaced(own: Served) -> None:
    for _ in range(2):
        os.kill(psutil.Process(own.process.pid).children()[0].pid, signal.SIGKILL)
        until(own.answers, 60, "another process answers")
    assert own.process.poll() is None


def test_a_server_whose_processes_always_die_ends_with_a_sentence(tmp_path: Path) -> None:
    made = Served(tmp_path, "broken")
    assert made.process.wait(120) == 1
    assert "each of the last 6 processes ended at once" in made.log.read_text()


def test_an_application_that_refuses_to_start_ends_the_server_with_its_sentence(tmp_path: Path) -> None:
    made = Served(tmp_path, "refusing")
    assert made.process.wait(60) == 1
    assert made.log.read_text().splitlines()[0] == "Error: Nothing is configured here."


def test_a_port_that_is_taken_is_not_shared(served: Served, tmp_path: Path) -> None:
    second = Served(tmp_path, port=served.port)
    assert second.process.wait(60) == 1
    assert f"Cannot listen on 127.0.0.1 port {served.port}" in second.log.read_text()
