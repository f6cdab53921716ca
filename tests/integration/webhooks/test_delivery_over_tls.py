"""Deliveries over TLS: the address is pinned, the certificate is still checked for the host's name."""

import ssl
from ipaddress import ip_network
from pathlib import Path

from app.webhooks.guard import Allow
from app.webhooks.send import Attempt, Limits, deliver
from tests.integration.webhooks.receivers import Receiver, certificate, receiver, saying

ALLOW = Allow(networks=(ip_network("127.0.0.0/8"),))
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def _deliver(
    to: Receiver, tls: ssl.SSLContext | None, host: str = "hooks.example.com", total_s: float = 15.0
) -> Attempt:
    url, limits = f"https://{host}:{to.port}/in", Limits(total_s=total_s)
    return deliver(url, ALLOW, {}, b"{}", resolver=lambda *_: ["127.0.0.1"], limits=limits, tls=tls)


def test_the_pinned_address_is_used_under_the_name_of_the_host(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "hooks.example.com")
    asked: list[str | None] = []
    server.sni_callback = lambda sock, name, context: asked.append(name)
    with receiver(saying(OK), server) as to:
        attempt = _deliver(to, trusting)
    assert (attempt.verdict, attempt.status) == ("delivered", 204)
    assert asked == ["hooks.example.com"]
    assert b"\r\nhost: hooks.example.com:" in to.requests[0]


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "other.example.com")
    with receiver(saying(OK), server) as to:
        attempt = _deliver(to, trusting)
    assert (attempt.verdict, attempt.error) == ("retry", "the certificate is not valid for this host")
    assert to.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, "hooks.example.com")
    with receiver(saying(OK), server) as to:
        attempt = _deliver(to, None)
    assert (attempt.verdict, attempt.error) == ("retry", "the certificate is not valid for this host")
    assert to.requests == []


def test_an_address_in_the_url_needs_a_certificate_for_the_address(tmp_path: Path) -> None:
    for name, verdict in (("127.0.0.1", "delivered"), ("hooks.example.com", "retry")):
        server, trusting = certificate(tmp_path, name)
        with receiver(saying(OK), server) as to:
            assert _deliver(to, trusting, "127.0.0.1").verdict == verdict


def test_a_receiver_that_speaks_no_tls_is_tried_again(tmp_path: Path) -> None:
    _, trusting = certificate(tmp_path, "hooks.example.com")
    with receiver(saying(OK)) as to:
        attempt = _deliver(to, trusting, total_s=0.3)
    assert (attempt.verdict, attempt.error) == ("retry", "no answer within the time limit")
    assert to.requests == []
