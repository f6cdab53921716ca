"""Deliveries to receivers that redirect, hang, drip, flood, lie and break off."""

import gzip
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from app.domain.clock import LONGEST_PAUSE_MS, retry_after_ms
from app.webhooks.guard import Allow
from app.webhooks.send import Attempt, Limits, deliver
from app.webhooks.signing import new_secret, sign
from tests.integration.webhooks.receivers import Receiver, Script, dripping, receiver, saying

ALLOW = Allow(networks=(ip_network("127.0.0.0/8"),), http=True)
SHORT = Limits(connect_s=0.3, total_s=0.3)
SOON_S = 30.0  # Generous for a busy machine, and far below what the receivers would take.
BODY = b'{"type":"run.failed"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def _deliver(to: Receiver, limits: Limits = SHORT, headers: dict[str, str] | None = None) -> Attempt:
    url = f"http://hooks.example.com:{to.port}/in?q=1"
    return deliver(url, ALLOW, headers or {}, BODY, resolver=lambda *_: ["127.0.0.1"], limits=limits)


def _answered(answer: bytes) -> Attempt:
    with receiver(saying(answer)) as to:
        return _deliver(to, Limits())


def test_a_receiver_gets_the_signed_message_as_it_was_given() -> None:
    secret = new_secret()
    with receiver(saying(OK)) as to:
        attempt = _deliver(to, Limits(), sign([secret], "evt_1", int(time.time()), BODY))
    head, _, body = to.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    given_headers = dict(line.split(": ", 1) for line in lines[1:])
    assert (attempt.verdict, attempt.status, attempt.answer, attempt.error) == ("delivered", 200, "ok", None)
    assert lines[0] == "POST /in?q=1 HTTP/1.1" and body == BODY
    assert given_headers["host"] == f"hooks.example.com:{to.port}"
    Webhook(secret).verify(body, given_headers, json_parse=False)


def test_a_message_is_one_request_with_each_header_once() -> None:
    with receiver(saying(OK)) as to:
        _deliver(to, Limits())
    names = [line.split(b":")[0].lower() for line in to.requests[0].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    assert to.connections == 1 and len(names) == len(set(names))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert _answered(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status).verdict == "delivered"


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int) -> None:
    attempt = _answered(b"HTTP/1.1 %d X\r\ncontent-length: 4\r\n\r\nnope" % status)
    expected = ("retry", status, f"answered {status}")
    assert (attempt.verdict, attempt.status, attempt.error) == expected


def test_gone_is_gone() -> None:
    assert _answered(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").verdict == "gone"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    with receiver(saying(OK)) as inner:
        answer = (
            f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{inner.port}/\r\ncontent-length: 0\r\n\r\n"
        )
        attempt = _answered(answer.encode())
    assert (attempt.verdict, attempt.status) == ("retry", status)
    assert inner.connections == 0


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(saying(OK)) as proxy, receiver(saying(OK)) as to:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert _deliver(to, Limits()).verdict == "delivered"
    assert proxy.connections == 0


SLOW = {
    "says nothing": dripping(b"", b"", 0.01),
    "drips the status line": dripping(b"", b"H", 0.02),
    "drips headers": dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05),
    "drips one header": dripping(b"HTTP/1.1 200 OK\r\nx: ", b"y", 0.02),
    "never stops to continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_a_slow_receiver_meets_the_deadline(script: Script) -> None:
    began = time.monotonic()
    with receiver(script) as to:
        attempt = _deliver(to)
    assert (attempt.verdict, attempt.status) == ("retry", None)
    assert attempt.error == "no answer within the time limit"
    assert attempt.latency_ms >= 300 and time.monotonic() - began < SOON_S


LONGER = Limits(connect_s=3.0, total_s=3.0)  # Time for the status on a busy machine.
HALF = {
    "drips": dripping(b"HTTP/1.1 200 OK\r\n\r\nbegin", b".", 0.02),
    "hangs": dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin", b"", 0.01),
    "breaks off": saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin"),
    "sends a bad chunk": saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\nzz\r\n"),
}


@pytest.mark.parametrize("script", HALF.values(), ids=HALF)
def test_a_body_that_never_ends_well_does_not_undo_the_status(script: Script) -> None:
    with receiver(script) as to:
        attempt = _deliver(to, LONGER)
    assert (attempt.verdict, attempt.status) == ("delivered", 200)
    assert attempt.answer.startswith("begin")


def test_an_endless_body_is_read_for_4_kib_and_no_more() -> None:
    sent = 0

    def flood(sock: socket.socket, over: threading.Event) -> None:
        nonlocal sent
        sock.sendall(b"HTTP/1.1 500 X\r\n\r\n")
        while not over.is_set():
            sent += sock.send(b"x" * 65536)

    with receiver(flood) as to:
        attempt = _deliver(to, Limits())
    assert (attempt.verdict, attempt.answer) == ("retry", "x" * 4096)
    assert attempt.latency_ms < SOON_S * 1000 and sent < 64 * 2**20


@pytest.mark.parametrize("framing", [b"content-length: 10000000000", b"transfer-encoding: chunked", b"x: y"])
def test_a_gzip_bomb_is_not_unpacked(framing: bytes) -> None:
    bomb = gzip.compress(bytes(10 * 2**20))
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb) if b"chunked" in framing else bomb
    attempt = _answered(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n" + framing + b"\r\n\r\n" + body)
    assert attempt.verdict == "delivered"
    assert 0 < len(attempt.answer) <= 4096 and "\0" not in attempt.answer


GARBAGE = {
    "nothing": b"",
    "another protocol": b"-ERR unknown command 'POST'\r\n",
    "binary": bytes(range(256)),
    "half a status line": b"HTTP/1.1 2",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_http_is_tried_again(answer: bytes) -> None:
    attempt = _answered(answer)
    assert (attempt.verdict, attempt.status) == ("retry", None)
    assert attempt.error in {"the answer was not HTTP", "the connection was closed before an answer came"}


def test_a_reset_is_tried_again() -> None:
    def reset(sock: socket.socket, over: threading.Event) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with receiver(reset) as to:
        attempt = _deliver(to)
    assert (attempt.verdict, attempt.error) == ("retry", "the connection was closed before an answer came")


def test_nobody_listening_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound but not listening: the port answers with a reset.
        url = f"http://hooks.example.com:{taken.getsockname()[1]}/"
        attempt = deliver(url, ALLOW, {}, BODY, resolver=lambda *_: ["127.0.0.1"], limits=SHORT)
    assert (attempt.verdict, attempt.error) == ("retry", "the connection was refused")


def test_when_the_first_judged_address_is_silent_the_next_one_is_tried() -> None:
    with receiver(saying(OK)) as to:
        url = f"http://hooks.example.com:{to.port}/"
        answers = ["127.0.0.2", "127.0.0.1"]  # Only the second one has a listener.
        attempt = deliver(url, ALLOW, {}, BODY, resolver=lambda *_: answers, limits=Limits())
    assert attempt.verdict == "delivered"


def test_a_name_that_is_rebound_after_the_judgement_is_not_asked_again() -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    with receiver(saying(OK)) as to:
        url = f"http://rebind.example.com:{to.port}/"
        attempt = deliver(url, ALLOW, {}, BODY, resolver=lambda *_: next(answers), limits=Limits())
    assert (attempt.verdict, to.connections) == ("delivered", 1)
    assert next(answers) == ["127.0.0.2"]


def test_a_refused_destination_is_never_connected_to() -> None:
    with receiver(saying(OK)) as to:
        url = f"http://rebind.example.com:{to.port}/"
        attempt = deliver(url, Allow(http=True), {}, BODY, resolver=lambda *_: ["8.8.8.8", "127.0.0.1"])
    assert (attempt.verdict, attempt.status, to.connections) == ("retry", None, 0)
    assert attempt.error is not None and "not public" in attempt.error


def test_retry_after_of_a_failure_is_passed_on_and_that_of_a_success_is_not() -> None:
    headers = b"retry-after: 120\r\ncontent-length: 0\r\n\r\n"
    assert _answered(b"HTTP/1.1 503 X\r\n" + headers).retry_after_ms == 120_000
    assert _answered(b"HTTP/1.1 200 X\r\n" + headers).retry_after_ms is None


NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        (" 7 ", 7_000),
        ("86401", LONGEST_PAUSE_MS),
        ("9" * 5000, LONGEST_PAUSE_MS),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300_000),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=900), usegmt=True), LONGEST_PAUSE_MS),
        *((text, None) for text in (None, "", "-1", "1.5", "soon", "٣", "Fri, 99 Nov 2026 10:00:00 GMT")),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str | None, expected: int | None) -> None:
    assert retry_after_ms(text, NOW) == expected


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([A-Z]+|[+-]\d+)\Z"))
def test_no_retry_after_breaks_the_sender(text: str) -> None:
    pause = retry_after_ms(text, NOW)
    assert pause is None or 0 <= pause <= LONGEST_PAUSE_MS
