"""The installer takes part when a machine starts from the network, in each of its moods."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.lab import Machine


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers with the next of the prepared statuses, then with 202."""

    statuses: list[int]
    bodies: list[Any]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.statuses.pop(0) if self.statuses else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay quiet."""


@pytest.fixture
def hook() -> Iterator[Any]:
    handler = type("OneHook", (Hook,), {"statuses": [], "bodies": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        handler.url = f"http://127.0.0.1:{server.server_port}/hook"  # type: ignore[attr-defined]
        yield handler
        server.shutdown()


@pytest.fixture
def start(machine: Machine, redfish: Any) -> Any:
    """Power the machine on from the given boot source."""

    def run(target: str = "Pxe") -> None:
        redfish(machine, "PATCH", "/Systems/1", {"Boot": {"BootSourceOverrideTarget": target}})
        redfish(machine, "POST", "/Systems/1/Actions/ComputerSystem.Reset", {"ResetType": "On"})

    return run


def order(control: Any, machine: Machine, hook: Any, **more: Any) -> None:
    body = {"bmcAddress": machine.address, "url": hook.url, "image": "debian-12", **more}
    assert control("POST", "/boot", body).status == 202


def ordered(control: Any, machine: Machine) -> Any:
    return control("GET", f"/boot?bmcAddress={machine.address}").body


def test_it_installs_and_calls_the_hook(
    machine: Machine, control: Any, hook: Any, start: Any, eventually: Any
) -> None:
    order(control, machine, hook)
    assert not ordered(control, machine)["installed"]
    start()
    eventually(lambda: hook.bodies)
    assert hook.bodies == [{"status": "ok", "machine": "m1", "image": "debian-12"}]
    assert ordered(control, machine)["installed"]
    assert machine.boot.device == "disk"
    assert control("GET", "/machines/m1").body["installed"] == "debian-12"


def test_an_image_may_be_described_by_an_object(
    machine: Machine, control: Any, hook: Any, start: Any, eventually: Any
) -> None:
    image = {"url": "https://images.example/debian-12.qcow2", "checksum": "sha256:00"}
    order(control, machine, hook, image=image, userData="#cloud-config")
    start()
    eventually(lambda: hook.bodies)
    assert hook.bodies[0]["image"] == machine.installed == image["url"]


def test_a_failed_installation_calls_too(
    machine: Machine, control: Any, hook: Any, start: Any, eventually: Any
) -> None:
    control("PATCH", "/machines/m1", {"installer": {"status": "failed", "delayMs": 1}})
    order(control, machine, hook)
    start()
    eventually(lambda: hook.bodies)
    assert hook.bodies[0]["status"] == "failed"
    told = ordered(control, machine)
    assert (told["installed"], told["wiped"], told["failed"]) == (False, False, True)
    assert (told["machine"], told["state"], told["image"]) == ("m1", "failed", "debian-12")


def test_a_silent_installer_is_seen_by_asking(
    machine: Machine, control: Any, hook: Any, start: Any, eventually: Any
) -> None:
    control("POST", "/machines/m1/install", {"url": hook.url, "image": "debian-12", "mode": "silent"})
    start()
    eventually(lambda: ordered(control, machine)["installed"])
    assert hook.bodies == []


def test_an_installer_that_hangs_does_nothing(
    machine: Machine, control: Any, hook: Any, start: Any, effects: Any, eventually: Any
) -> None:
    control("PATCH", "/machines/m1", {"installer": {"mode": "never"}})
    order(control, machine, hook)
    start()
    eventually(lambda: machine.on)
    assert effects(effect="install") == []
    assert not ordered(control, machine)["installed"]


def test_a_start_from_disk_installs_nothing(
    machine: Machine, control: Any, hook: Any, start: Any, effects: Any, eventually: Any
) -> None:
    order(control, machine, hook)
    start("Hdd")
    eventually(lambda: "boot.started" in effects())
    assert effects(effect="install") == []


def test_losing_power_ends_the_installation(
    machine: Machine, control: Any, hook: Any, start: Any, effects: Any, eventually: Any
) -> None:
    control("PATCH", "/machines/m1", {"installer": {"delayMs": 60000}})
    order(control, machine, hook)
    start()
    eventually(lambda: effects(effect="install") == ["install.started"])
    control("PATCH", "/machines/m1", {"power": "off"})
    assert effects(effect="install") == ["install.started", "install.aborted"]
    assert machine.installed is None


def test_it_calls_again_when_the_service_is_away(
    machine: Machine, control: Any, hook: Any, start: Any, lab: Any, eventually: Any
) -> None:
    hook.statuses[:] = [503, 202]
    order(control, machine, hook)
    start()
    eventually(lambda: len(hook.bodies) == 2)
    eventually(lambda: [line.value for line in lab.ledger.read(effect="install.called")] == [503, 202])


def test_a_withdrawn_order_is_forgotten(
    machine: Machine, control: Any, hook: Any, start: Any, effects: Any, eventually: Any
) -> None:
    order(control, machine, hook)
    assert control("DELETE", f"/boot?bmcAddress={machine.address}").status == 204
    start()
    eventually(lambda: "boot.started" in effects())
    assert effects(effect="install") == []
    assert ordered(control, machine)["state"] == "none"


def test_the_redfish_address_names_the_machine_too(machine: Machine, control: Any) -> None:
    body = {"bmcAddress": machine.redfish_url, "image": "debian-12"}
    assert control("POST", "/boot", body).body == {"machine": "m1", "image": "debian-12"}
    assert control("POST", "/boot", {"bmcAddress": "127.0.0.1:1", "image": "x"}).status == 404
