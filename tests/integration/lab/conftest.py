"""A lab for each test, and clients that were not written with it in mind: ipmitool, pyghmi, plain HTTPS."""

import base64
import json
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.lab import Lab, Machine
from tests.support.servers import absent, until

IPMITOOL = shutil.which("ipmitool")

# pyghmi keeps threads and tables for the life of a process, so each of its sessions gets its own.
_PYGHMI = """
import json, sys
from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.command import Command
port, password, code = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
try:
    bmc = Command(bmc="127.0.0.1", userid=b"admin", password=password, port=port)
    answer = eval(code, {"bmc": bmc})
    bmc.ipmi_session.logout()
except IpmiException as error:
    answer = {"error": str(error)}
print(json.dumps(answer))
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back over HTTP; the body is already parsed."""

    status: int
    body: Any
    headers: dict[str, str]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(count=2, power_delay=0.02, install_delay=0.02) as running:
        yield running


@pytest.fixture
def machine(lab: Lab) -> Machine:
    return lab.machines[0]


@pytest.fixture
def eventually() -> Callable[..., object]:
    """Wait until something is true; fails after ten seconds."""
    return until


@pytest.fixture
def effects(lab: Lab) -> Callable[..., list[str]]:
    """The names of the effects on a machine, logins left out unless they are asked for."""

    def read(machine_id: str = "m1", effect: str | None = None) -> list[str]:
        lines = lab.ledger.read(machine_id, effect=effect)
        return [line.effect for line in lines if effect or not line.effect.startswith("log")]

    return read


@pytest.fixture
def ipmitool(lab: Lab) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Debian's ipmitool against a machine of the lab."""
    if not IPMITOOL:
        absent("Debian's ipmitool is not installed")

    def run(
        machine: Machine,
        command: str,
        suite: int = 17,
        *,
        user: str = "admin",
        password: str | None = None,
        port: int | None = None,
        tries: int = 3,
    ) -> subprocess.CompletedProcess[str]:
        login = ["-U", user, "-P", password or lab.account.password, "-C", str(suite)]
        target = ["-I", "lanplus", "-H", "127.0.0.1", "-p", str(port or machine.ipmi_port)]
        return subprocess.run(
            [str(IPMITOOL), *target, *login, "-N", "1", "-R", str(tries), *command.split()],
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def pyghmi(lab: Lab) -> Callable[..., Any]:
    """Evaluate an expression about ``bmc``, a pyghmi session, in a process of its own."""

    def run(machine: Machine, code: str, password: str | None = None) -> Any:
        arguments = [str(machine.ipmi_port), password or lab.account.password, code]
        done = subprocess.run(
            [sys.executable, "-c", _PYGHMI, *arguments], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def redfish(lab: Lab) -> Callable[..., Answer]:
    """Send one request to a machine's Redfish service, which must show the lab's certificate."""
    trusted = ssl.create_default_context(cadata=lab.certificate.decode())

    def send(
        machine: Machine,
        method: str,
        path: str,
        body: Any = None,
        *,
        password: str | None = None,
        token: str | None = None,
        timeout: float = 10,
    ) -> Answer:
        pair = base64.b64encode(f"admin:{password or lab.account.password}".encode()).decode()
        headers = {"X-Auth-Token": token} if token else {"Authorization": f"Basic {pair}"}
        return _send(f"{machine.redfish_url}/redfish/v1{path}", method, body, headers, timeout, trusted)

    return send


@pytest.fixture
def control(lab: Lab) -> Callable[..., Answer]:
    """Send one request to the control API."""

    def send(method: str, path: str, body: Any = None) -> Answer:
        return _send(f"{lab.control_url}{path}", method, body, {}, 10, None)

    return send


def _send(
    url: str, method: str, body: Any, headers: dict[str, str], timeout: float, trusted: ssl.SSLContext | None
) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if trusted:
        handlers.append(urllib.request.HTTPSHandler(context=trusted))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            raw, status, found = response.read(), response.status, response.headers
    except urllib.error.HTTPError as error:
        with error:
            raw, status, found = error.read(), error.code, error.headers
    json_body = "json" in (found.get("Content-Type") or "")
    return Answer(status=status, body=json.loads(raw) if json_body else raw, headers=dict(found))
