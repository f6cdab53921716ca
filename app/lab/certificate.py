"""The self-signed certificate of a lab's Redfish services."""

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = datetime.timedelta(days=365)


def load_or_make(path: str | Path | None) -> tuple[bytes, ssl.SSLContext]:
    """The certificate as PEM and a context that serves it.

    With a path, key and certificate are kept there, so that a client that pinned the certificate
    recognises a restarted lab; without one they live only as long as the process.
    """
    pem = kept(path)
    return certificate_of(pem), context_of(pem)


def kept(path: str | Path | None) -> bytes:
    """Key and certificate as PEM, from the file when there is one."""
    if path and Path(path).exists():
        return Path(path).read_bytes()
    pem = _make()
    if path:
        _write(Path(path), pem)
    return pem


def renew(context: ssl.SSLContext) -> None:
    """Serve a new certificate from the next connection on, as firmware does when its host name changes."""
    _load(context, _make())


def _make() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Windlass Lab BMC")])
    hosts = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, pem: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(pem)


def certificate_of(pem: bytes) -> bytes:
    """The certificate alone."""
    return pem[pem.index(b"-----BEGIN CERTIFICATE-----") :]


def context_of(pem: bytes) -> ssl.SSLContext:
    """A context that serves this key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, pem)
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    # The ssl module reads keys from files only.
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
