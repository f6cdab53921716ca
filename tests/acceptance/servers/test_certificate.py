"""A Redfish controller that has made itself a new certificate: left alone until an operator trusts it."""

import subprocess
import sys

import pytest

from app.config import environment
from app.providers.bmc import fingerprint
from tests.acceptance.servers.site import Machine, Service, Site, failure
from tests.support.plain import http

pytestmark = pytest.mark.postgres


@pytest.fixture
def machine(on_postgres: Service) -> Machine:
    """A machine in the inventory, whose controller has made itself a new certificate since."""
    registered = Site(service=on_postgres, protocol="redfish").registered()
    url = f"{on_postgres.lab.control_url}/machines/{registered.bmc.id}/certificate"
    http.post(url).raise_for_status()
    return registered


def test_it_is_refused_until_its_fingerprint_is_given(machine: Machine) -> None:
    before = machine.raw["certificate"]
    refused = machine.site.ended(machine.act("powerOff", mode="hard"))
    assert failure(refused) == ("BMC_CONNECTION_FAILED", "switch-power")
    assert "trust-certificate" in str(refused.error)
    new = fingerprint("127.0.0.1", machine.bmc.redfish_port)
    machine.site.client.servers.trust_certificate(machine.id, new)
    assert machine.site.ended(machine.act("powerOff", mode="hard")).status == "completed"
    assert (before == new, machine.raw["certificate"], machine.bmc.power) == (False, new, "off")


def test_by_the_command_line_the_next_one_that_it_shows_is_trusted(machine: Machine) -> None:
    said = windlass(machine, "server", "trust-certificate", machine.id, "--yes")
    assert said.returncode == 0, said
    assert machine.site.ended(machine.act("powerOff", mode="hard")).status == "completed"
    assert machine.raw["certificate"] == fingerprint("127.0.0.1", machine.bmc.redfish_port)


def windlass(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, against the machine's service."""
    stack = machine.site.service.stack
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        env=environment(stack.settings, WINDLASS_URL=stack.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
