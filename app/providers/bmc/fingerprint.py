"""The certificate a host shows, as a SHA-256 fingerprint: the value to pin on first contact."""

import hashlib
import socket
import ssl

from app.domain.errors import BmcConnectionFailed
from app.providers.bmc.failure import fail
from app.providers.bmc.target import Target


def fingerprint(host: str, port: int, *, within: float = 10.0) -> str:
    """64 lower-case hex digits, for `Target.verify`; trust on first use: show it to a human if you can."""
    # Whoever answers is looked at, not trusted: no credential travels on this connection. The system's
    # authorities are not asked, and to load them would take longer than all the rest.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=within) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:  # A name that is no host name is a ValueError.
        target = Target(protocol="redfish", host=host, port=port, username="", password="")
        raise fail(BmcConnectionFailed, target, "read the certificate", "unreachable", str(error)) from error
    return hashlib.sha256(certificate or b"").hexdigest()
