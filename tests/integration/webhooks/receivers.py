"""Receivers that behave as badly as a script tells them to, on real sockets."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[socket.socket, threading.Event], None]


class Receiver:
    """A listening socket that runs a script for each connection and remembers what it was sent."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()  # Set when the test ends; scripts that hang wait for it.
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        self.over.set()
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._answer, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _answer(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            sock = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with sock:
                self.requests.append(read_request(sock))
                self._script(sock, self.over)


def read_request(sock: socket.socket) -> bytes:
    """One whole request with the body that its Content-Length announces."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536) or _ended()
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536) or _ended()
    return head + b"\r\n\r\n" + body


def _ended() -> bytes:
    raise ConnectionError("the request ended early")


@contextmanager
def receiver(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver for the duration of a block."""
    running = Receiver(script, tls)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def saying(answer: bytes) -> Script:
    """A script that answers with these bytes and closes."""
    return lambda sock, over: sock.sendall(answer)


def dripping(beginning: bytes, drop: bytes, pause_s: float) -> Script:
    """A script that goes on sending a drop at a time until the sender has had enough."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(beginning)
        while not over.wait(pause_s):
            sock.sendall(drop)

    return script


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate for a name or an address: the server's context and one that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key_pem)
    return server, ssl.create_default_context(cafile=str(pem))


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
