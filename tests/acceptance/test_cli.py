"""The command line, as real processes against the whole service and the lab."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.config import environment
from app.host.up import LAB_PASSWORD
from tests.support.plain import http
from tests.support.ports import free_port
from tests.support.servers import until
from tests.support.stack import Stack

pytestmark = pytest.mark.sqlite

Done = subprocess.CompletedProcess[str]
Windlass = Callable[..., Done]
IMAGE = "http://images.example/a.raw"
NOWHERE = "run_00000000000000000000000000"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The service with its embedded database and Valkey, and the lab."""
    folder = tmp_path_factory.mktemp("cli")
    inward = {"WINDLASS_WEBHOOK_ALLOW": "127.0.0.0/8", "WINDLASS_WEBHOOK_ALLOW_HTTP": "true"}
    stack = Stack(folder / "state", inward, folder / "up.log")
    stack.start()
    yield stack
    stack.close()


@pytest.fixture
def windlass(stack: Stack) -> Windlass:
    """Runs `windlass` as an operator does on the service's machine."""

    def call(*args: str, **more: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *args],
            env=environment(stack.settings, WINDLASS_BMC_PASSWORD=LAB_PASSWORD, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture
def server(stack: Stack, windlass: Windlass) -> Iterator[str]:
    """A machine of the lab, healthy, registered and inspected; retired afterwards."""
    address = machine(stack)["ipmiAddress"]
    args = ("--protocol", "ipmi", "--address", address, "--username", "admin", "-o", "json", "--wait")
    server_id = said(windlass("server", "register", *args))["resourceId"]
    assert windlass("server", "inspect", server_id, "--wait").returncode == 0
    yield server_id
    break_machine(stack, {})
    assert windlass("server", "decommission", server_id, "--yes", "--wait").returncode == 0


def said(done: Done) -> Any:
    """What a command printed as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def machine(stack: Stack) -> dict[str, Any]:
    """The last machine of the lab."""
    found: list[dict[str, Any]] = http.get(f"{stack.lab_url}/machines").json()
    return found[-1]


def break_machine(stack: Stack, faults: dict[str, Any], **installer: Any) -> None:
    """Break it so, or mend it with nothing."""
    url = f"{stack.lab_url}/machines/{machine(stack)['id']}"
    http.patch(url, json={"faults": faults, "installer": installer}).raise_for_status()


def step_of(stack: Stack, run_id: str, name: str) -> str:
    """The status of a step."""
    run = http.get(f"{stack.url}/v1/workflows/runs/{run_id}").json()["data"]
    return next(str(step["detail"]) for step in run["steps"] if step["name"] == name)


def test_a_run_that_is_waited_for_says_how_it_ended(server: str, stack: Stack, windlass: Windlass) -> None:
    assert windlass("server", "power", "on", server, "--wait").returncode == 0
    assert machine(stack)["power"] == "on"

    break_machine(stack, {"wrongPassword": True})
    failed = windlass("server", "power", "off", server, "--wait", "--on-failure", "compensate")

    assert failed.returncode == 6, failed.stderr
    assert "BMC_AUTH_FAILED" in failed.stderr and f"server/{server}" in failed.stderr
    assert "windlass run retry" in failed.stderr


def test_a_held_run_is_retried_from_its_failed_step(server: str, stack: Stack, windlass: Windlass) -> None:
    break_machine(stack, {"wrongPassword": True})
    held = windlass("server", "power", "on", server, "--wait", "--on-failure", "hold", "-o", "json")
    assert held.returncode == 6, held.stderr
    run = json.loads(held.stdout)

    break_machine(stack, {})
    retried = windlass("run", "retry", run["id"], "--from", run["error"]["step"], "--wait", "-o", "json")

    assert said(retried)["retryOf"] == run["id"]


def test_a_cancelled_run_is_7(server: str, stack: Stack, windlass: Windlass) -> None:
    break_machine(stack, {}, mode="never")  # The run waits for its installer until it is cancelled.
    started = said(windlass("server", "provision", server, "--image", IMAGE, "-o", "json"))
    run_id = started["workflowId"]
    until(lambda: step_of(stack, run_id, "install") == "waiting")

    cancelled = windlass("run", "cancel", run_id, "--yes", "--wait", "--reason", "enough")
    break_machine(stack, {}, mode="callback")

    assert cancelled.returncode == 7, cancelled.stderr


def test_a_second_run_on_a_machine_is_a_conflict_that_names_the_first(
    server: str, stack: Stack, windlass: Windlass
) -> None:
    break_machine(stack, {"wrongPassword": True})
    windlass("server", "power", "on", server, "--wait", "--on-failure", "hold")
    holder = said(windlass("lock", "list", "--resource", f"server/{server}", "-o", "json"))[0]["runId"]

    second = windlass("server", "reboot", server)

    assert second.returncode == 5
    assert f"held by: {holder}" in second.stderr
    assert windlass("run", "compensate", holder, "--wait").returncode == 6


def test_an_undo_that_cannot_be_done_is_resolved_by_hand(
    server: str, stack: Stack, windlass: Windlass
) -> None:
    break_machine(stack, {}, status="failed", delayMs=8000)
    image = ("--image", IMAGE, "--on-failure", "compensate")
    run_id = said(windlass("server", "provision", server, *image, "-o", "json"))["workflowId"]
    until(lambda: step_of(stack, run_id, "install") == "waiting")
    break_machine(stack, {"wrongPassword": True}, status="ok", delayMs=500)

    stuck = windlass("run", "watch", run_id)
    listed = said(windlass("run", "list", "--waiting", "-o", "json"))
    break_machine(stack, {})
    resolved = windlass("run", "resolve", run_id, "power-2", "--reason", "off by hand", "--yes", "--wait")

    assert "needs an operator (compensation_failed)" in stuck.stderr
    assert "windlass run resolve" in stuck.stderr
    assert [each["id"] for each in listed] == [run_id]
    assert resolved.returncode == 6 and "INSTALL_FAILED" in resolved.stderr
    assert said(windlass("server", "get", server, "-o", "json"))["state"] == "error"
    assert windlass("doctor").returncode == 0


def test_operators_see_types_queues_and_sound_invariants(windlass: Windlass) -> None:
    names = {each["type"] for each in said(windlass("type", "list", "-o", "json"))}
    queues = {each["key"] for each in said(windlass("queue", "list", "-o", "json"))}

    assert {"server.register", "server.provision"} <= names
    assert {"wl:default", "wl:bmc"} <= queues
    assert windlass("doctor").returncode == 0
    assert windlass("db", "check").returncode == 0


def test_a_pool_lives_and_dies(windlass: Windlass) -> None:
    made = said(windlass("pool", "create", "gpu", "--label", "site=fra", "-o", "json"))

    again = windlass("pool", "create", "gpu")
    changed = said(windlass("pool", "change", made["id"], "--name", "gpu-2", "-o", "json"))
    deleted = windlass("pool", "delete", made["id"], "--yes")
    gone = windlass("pool", "get", made["id"])

    assert (made["labels"], changed["name"]) == ({"site": "fra"}, "gpu-2")
    assert (again.returncode, deleted.returncode, gone.returncode) == (5, 0, 3)


def test_a_webhook_shows_its_secret_once(windlass: Windlass) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/hook"
    made = said(windlass("webhook", "create", nobody, "--event", "run.*", "-o", "json"))
    rotated = said(windlass("webhook", "rotate", made["id"], "-o", "json"))
    tested = said(windlass("webhook", "test", made["id"], "-o", "json"))
    deliveries = said(windlass("webhook", "deliveries", made["id"], "-o", "json"))

    assert made["secret"].startswith("whsec_") and made["secret"] != rotated["secret"]
    assert "secret" not in said(windlass("webhook", "get", made["id"], "-o", "json"))
    assert tested["id"] in [each["id"] for each in deliveries]
    assert windlass("webhook", "delete", made["id"], "--yes").returncode == 0


def test_a_paused_type_refuses_until_it_is_resumed(server: str, windlass: Windlass) -> None:
    assert windlass("type", "pause", "server.lifecycle", "--reason", "fire drill").returncode == 0

    refused = windlass("server", "power", "on", server)

    assert refused.returncode == 5 and "fire drill" in refused.stderr
    assert windlass("type", "resume", "server.lifecycle").returncode == 0
    assert windlass("server", "power", "on", server, "--wait").returncode == 0


def test_a_log_can_be_read_and_folded(windlass: Windlass, server: str) -> None:
    run = said(windlass("run", "list", "--type", "server.inspect", "-o", "json"))[0]

    events = said(windlass("run", "events", run["id"][-6:], "-o", "json"))
    followed = windlass("run", "events", run["id"], "--follow").stdout.splitlines()

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len(followed) == len(events)
    assert said(windlass("run", "state", run["id"]))["status"] == "completed"


def test_a_plan_starts_nothing(windlass: Windlass, server: str) -> None:
    def runs() -> list[str]:
        return [run["id"] for run in said(windlass("run", "list", "-o", "json"))]

    before = runs()
    args = ("--image", IMAGE, "--dry-run", "-o", "json")

    plan = said(windlass("server", "provision", server, *args))

    assert [step["name"] for step in plan["steps"]][:2] == ["validate", "reserve"]
    assert runs() == before


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (("run", "get", NOWHERE), 3),
        (("run", "list", "--status", "sleeping"), 2),
        (("run", "start", "no.such-type"), 2),
        (("type", "show", "no.such-type"), 3),
        (("run", "list", "--url", "http://127.0.0.1:1"), 8),
    ],
)
def test_each_failure_has_its_status(windlass: Windlass, args: tuple[str, ...], status: int) -> None:
    failed = windlass(*args)

    assert failed.returncode == status, failed.stderr
    assert failed.stdout == "" and "Traceback" not in failed.stderr


# The last one: from the first key on, no client is answered without one.
def test_keys_are_made_and_revoked_without_the_api(windlass: Windlass) -> None:
    made = said(windlass("key", "create", "reader", "--scope", "runs:read", "-o", "json"))
    key = {"WINDLASS_API_KEY": made["token"]}

    assert windlass("run", "list", **key).returncode == 0
    assert windlass("server", "list", **key).returncode == 4
    assert windlass("key", "revoke", "reader", "--yes").returncode == 0
    assert windlass("run", "list", **key).returncode == 4
