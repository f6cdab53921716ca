"""One BMC played by sushy-tools' Redfish emulator, over TLS with a certificate of its own, and a login."""

import datetime
import importlib.util
import ipaddress
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.providers.bmc import Target

PRESENT = importlib.util.find_spec("sushy_tools") is not None
SYSTEM = "27946b59-9e44-4fa7-8e91-f3527a1ef094"

# The emulator, except that its machine obeys within a second instead of eleven, writes down what it was told,
# and does nothing while a file `lies` exists.
SERVER = """\
import os, random, sys
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems.fakedriver import FakeDriver
folder, port = sys.argv[1], int(sys.argv[2])
random.randint = lambda low, high: 0
def noted(method):
    name = method.__name__
    def call(self, identity, value):
        with open(os.path.join(folder, "ledger"), "a") as ledger:
            ledger.write(name + " " + value + chr(10))
        if not os.path.exists(os.path.join(folder, "lies")):
            method(self, identity, value)
    return call
FakeDriver.set_power_state = noted(FakeDriver.set_power_state)
FakeDriver.set_boot_device = noted(FakeDriver.set_boot_device)
main.app.configure(os.path.join(folder, "emulator.conf"))
main.app.run(host="127.0.0.1", port=port, ssl_context=(folder + "/cert.pem", folder + "/key.pem"))
"""


class Emulator:
    """A running emulator; `folder` holds its machine's state and the ledger of orders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "state").mkdir()
        self.pin = certify(folder)
        (folder / "htpasswd").write_text(
            "admin:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode() + "\n"
        )
        nic = {"mac": "00:5c:52:31:3a:9c", "ip": "172.22.0.100"}
        system = {
            "uuid": SYSTEM,
            "name": "fake",
            "power_state": "Off",
            "external_notifier": False,
            "nics": [nic],
        }
        settings = {
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [system],
            "SUSHY_EMULATOR_STATE_DIR": str(folder / "state"),
            "SUSHY_EMULATOR_AUTH_FILE": str(folder / "htpasswd"),
        }
        lines = (f"{name} = {value!r}\n" for name, value in settings.items())
        (folder / "emulator.conf").write_text("".join(lines))
        (folder / "server.py").write_text(SERVER)

    def start(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.folder / "server.py"), str(self.folder), str(self.port)],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """Accept connections and say nothing, as a controller that hangs."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)

    def target(self) -> Target:
        return Target(
            protocol="redfish",
            host="127.0.0.1",
            port=self.port,
            username="admin",
            password="secret",
            verify=self.pin,
        )

    def ledger(self) -> list[str]:
        """The orders that reached the machine, oldest first, such as `set_power_state On`."""
        path = self.folder / "ledger"
        return path.read_text().splitlines() if path.exists() else []


def certify(folder: Path) -> str:
    """A key and a certificate for 127.0.0.1 that nobody vouches for; its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bmc")])
    today = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=30))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    return certificate.fingerprint(hashes.SHA256()).hex()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
