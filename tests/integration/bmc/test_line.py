"""What travels to a Redfish service, and what is believed of its answers."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import BmcConnectionFailed
from app.providers.bmc import Target, connect, fingerprint
from app.providers.bmc.redfish import RedfishBMC
from app.providers.bmc.transport import Astray, Line
from tests.integration.bmc.emulator import certify

ROOT = {
    "@odata.id": "/redfish/v1/",
    "Id": "Root",
    "Name": "Root",
    "RedfishVersion": "1.5.0",
    "Systems": {"@odata.id": "/redfish/v1/Systems"},
}


@contextmanager
def service(
    folder: Path, answers: dict[str, tuple[int, dict[str, str], bytes]]
) -> Iterator[tuple[Target, list[str]]]:
    """An HTTPS server with fixed answers by path; yields where it is and the requests that it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {'Authorization' in self.headers}")
            status, headers, body = answers.get(self.path, (404, {}, b"{}"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    pin = certify(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    port = server.server_address[1]
    try:
        yield (
            Target(protocol="redfish", host="127.0.0.1", port=port, username="u", password="p", verify=pin),
            seen,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def root(**changes: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(ROOT | changes).encode()


def failure(target: Target) -> BmcConnectionFailed:
    with pytest.raises(BmcConnectionFailed) as caught:
        RedfishBMC(target, patience=5.0).power()
    return caught.value


def test_the_fingerprint_is_the_one_of_the_certificate(tmp_path: Path) -> None:
    with service(tmp_path, {}) as (target, _):
        assert fingerprint(target.host, target.port) == target.verify


def test_another_certificate_gets_no_request(tmp_path: Path) -> None:
    with service(tmp_path, {"/redfish/v1/": root()}) as (target, seen):
        for pin in ("0" * 64, None):
            changed = Target(**{**vars(target), "verify": pin})
            error = failure(changed)
            assert error.details["reason"] == "certificate"
            assert not error.retryable
        assert seen == []


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    answers = {"/redfish/v1/": (302, {"Location": "/elsewhere"}, b"moved")}
    with service(tmp_path, answers) as (target, seen):
        assert failure(target).details["reason"] == "garbled"
        assert seen == ["/redfish/v1/ False"]


def test_a_link_to_another_host_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with service(tmp_path / "other", {}) as (other, other_seen):
        elsewhere = f"https://127.0.0.1:{other.port}/redfish/v1/Systems"
        with service(tmp_path, {"/redfish/v1/": root(Systems={"@odata.id": elsewhere})}) as (target, _):
            assert failure(target).details["reason"] == "garbled"
    assert other_seen == []


@pytest.mark.parametrize("headers", [{"Content-Length": "4000"}, {"Transfer-Encoding": "chunked"}])
def test_an_answer_that_is_cut_is_a_lost_connection(tmp_path: Path, headers: dict[str, str]) -> None:
    body = root()[2][:40]
    cut = b"fff\r\n" + body if "Transfer-Encoding" in headers else body
    with service(tmp_path, {"/redfish/v1/": (200, headers, cut)}) as (target, _):
        assert failure(target).details["reason"] == "lost"


def test_links_may_be_absolute_without_the_port_or_in_other_case(tmp_path: Path) -> None:
    with service(tmp_path, {}) as (target, _):
        line = Line(f"https://127.0.0.1:{target.port}", deadline=0.0)
        assert line._own(f"HTTPS://127.0.0.1:{target.port}/a?b=1#c") == f"{line.base}/a?b=1"
    default = Line("https://[fd00::7]:443", deadline=0.0)
    assert default._own("https://[FD00:0::7]/redfish/v1") == "https://[fd00::7]:443/redfish/v1"
    for elsewhere in ("https://[fd00::8]/", "http://[fd00::7]:443/", "https://u@[fd00::7]/", "https://[x/"):
        with pytest.raises(Astray):
            default._own(elsewhere)


def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    endless = (*root()[:2], b"[" * (5 * 1024 * 1024))
    with service(tmp_path, {"/redfish/v1/": endless}) as (target, _):
        assert "more than" in str(failure(target))


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"[]", b"null", b"{", b'{"Systems": 7}', b"\xff\xfe"])
def test_an_answer_of_another_shape_is_garbled(tmp_path: Path, body: bytes) -> None:
    with service(tmp_path, {"/redfish/v1/": (200, {}, body)}) as (target, _):
        assert failure(target).details["reason"] == "garbled"


def test_the_password_goes_only_where_the_root_was_read(tmp_path: Path) -> None:
    with service(tmp_path, {"/redfish/v1/": root()}) as (target, seen):
        with pytest.raises(Exception, match="does not support"):
            connect(target).power()
        assert seen == ["/redfish/v1/ False", "/redfish/v1/Systems True"]
