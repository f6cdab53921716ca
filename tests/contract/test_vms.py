"""Virtual machines (contracts/runs.rst#virtual-machines)."""

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.domain.vms import ALLOWED, POWER
from app.services.context import AppContext
from tests.contract.managed import MACHINE, MANAGEMENT, VM, plant_management, plant_vm
from tests.contract.plant import UNKNOWN, ids

PATH = "/v1/vms"
ONE = f"{PATH}/{VM}"
ISO = {"source": "pvc://windows-2022-iso", "type": "cdrom", "boot": True}
LONG = {"key": "user-data", "value": "x" * 2_048}  # As long as it may be.


@pytest.fixture(autouse=True)
def management(world: AppContext) -> None:
    """There is one management cluster."""
    plant_management(world)


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.get_json()["error"]["code"]


def test_a_new_machine_is_202_with_the_machine_and_its_run(client: FlaskClient) -> None:
    disks = [{"source": "docker://debian:12", "boot": True}, {"sizeGb": 20, "interface": "sata"}]
    answer = client.post(PATH, json={**MACHINE, "name": "web-1", "disks": disks, "labels": {"app_x": "web"}})
    made = answer.get_json()["data"]
    assert (answer.status_code, made["state"], made["runStrategy"]) == (202, "creating", "Manual")
    assert (made["disks"], made["labels"], made["cpus"]) == (disks, {"app_x": "web"}, 1)
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert (run["type"], run["resourceType"], made["managementId"]) == ("vm.create", "vm", MANAGEMENT)


def test_what_cloud_init_is_told_is_not_shown(client: FlaskClient) -> None:
    told = [{"key": "user-data", "value": "password: canary-Xq7"}]
    made = client.post(PATH, json={**MACHINE, "instanceMetadata": told}).get_json()
    paths = (PATH, f"{PATH}/{made['data']['id']}", f"/v1/workflows/runs/{made['meta']['workflowId']}")
    assert not [path for path in paths if "canary" in client.get(path).get_data(as_text=True)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cpus": 1}, "memoryMb"),
        ({"type": "u1.small", "cpus": 1}, "type"),
        ({**MACHINE, "disks": [{}]}, "disks.0.sizeGb"),
        ({**MACHINE, "disks": [{"source": "file:///etc/passwd", "sizeGb": 1}]}, "disks.0.source"),
        ({**MACHINE, "disks": [{**ISO, "interface": "virtio"}]}, "disks.0.interface"),
        ({**MACHINE, "disks": [{"source": "pvc://a", "interface": "sata", "mode": "ro"}]}, "disks.0.mode"),
        ({**MACHINE, "disks": [{"source": "docker://a", "type": "lun"}]}, "disks.0.source"),
        ({**MACHINE, "nics": [{"network": "storage"}, {}, {"network": "pod"}]}, "nics.2.network"),
        ({**MACHINE, "instanceMetadata": [{**LONG, "value": "ä" * 1_025}]}, "instanceMetadata.0.value"),
        ({**MACHINE, "instanceMetadata": [LONG, LONG]}, "instanceMetadata"),
        ({**MACHINE, "runStrategy": "WaitAsReceiver"}, "runStrategy"),
        ({**MACHINE, "gpus": [{"count": 1}]}, "gpus.0.type"),
        ({**MACHINE, "instanceMetadata": [{"key": "x", "value": ""}]}, "instanceMetadata.0.key"),
        ({**MACHINE, "name": "Web"}, "name"),
        ({**MACHINE, "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_machine_names_the_field_and_stores_nothing(
    client: FlaskClient, body: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code == 400
    assert set(answer.get_json()["error"]["details"]["fields"]) == {field}
    assert ids(client.get(PATH)) == []


def test_more_than_the_quota_is_403(world: AppContext) -> None:
    limited = create_app(replace(world, settings=replace(world.settings, quota_vms=1))).test_client()
    limited.environ_base["HTTP_HOST"] = "localhost"
    assert limited.post(PATH, json=MACHINE).status_code == 202
    for preview in ("", "?dryRun=true"):
        assert code(limited.post(PATH + preview, json=MACHINE)) == (403, "QUOTA_EXCEEDED")


def test_an_action_that_waits_for_another_answers_the_state_that_is(
    client: FlaskClient, world: AppContext
) -> None:
    plant_vm(world, state="stopped")
    first = client.post(f"{ONE}/actions", json={"action": "start"})
    second = client.post(f"{ONE}/actions?onConflict=queue", json={"action": "start"})
    states = [answer.get_json()["data"]["state"] for answer in (first, second)]
    assert states == ["starting", "stopped"]


def test_a_creation_can_be_previewed(client: FlaskClient) -> None:
    plan = client.post(f"{PATH}?dryRun=true", json=MACHINE).get_json()["data"]
    assert [step["name"] for step in plan["steps"]] == [
        *("validate", "create-record", "create-vm", "start-vm", "wait-running", "settle")
    ]
    assert ids(client.get(PATH)) == []


@pytest.mark.parametrize("state", sorted(ALLOWED))
@pytest.mark.parametrize("action", POWER)
def test_the_state_says_which_actions_are_allowed_and_is_believed(
    client: FlaskClient, world: AppContext, state: str, action: str
) -> None:
    plant_vm(world, state=state)
    allowed = client.get(ONE).get_json()["data"]["allowedActions"]
    answer = client.post(f"{ONE}/actions", json={"action": action})
    assert answer.status_code == (202 if action in allowed else 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "dance"}, "action"),
        ({"action": "pause", "gracePeriodSeconds": 1}, "gracePeriodSeconds"),
        ({"action": "restart", "gracePeriodSeconds": 5}, "gracePeriodSeconds"),
        ({"action": "stop", "gracePeriodSeconds": -1}, "gracePeriodSeconds"),
        ({"action": "pause", "force": True}, "force"),
    ],
)
def test_a_wrong_action_names_the_field(
    client: FlaskClient, world: AppContext, body: dict[str, Any], field: str
) -> None:
    plant_vm(world)
    answer = client.post(f"{ONE}/actions", json=body)
    assert answer.status_code == 400
    assert set(answer.get_json()["error"]["details"]["fields"]) == {field}


def test_an_action_is_a_run_that_can_be_previewed(client: FlaskClient, world: AppContext) -> None:
    plant_vm(world)
    stop = {"action": "stop", "gracePeriodSeconds": 30}
    plan = client.post(f"{ONE}/actions?dryRun=true", json=stop).get_json()["data"]
    assert (plan["type"], plan["locks"]) == ("vm.power", [f"vm/{VM}"])
    answer = client.post(f"{ONE}/actions", json=stop)
    assert (answer.status_code, answer.get_json()["data"]["state"]) == (202, "stopping")


def test_a_machine_is_deleted_by_a_run(client: FlaskClient, world: AppContext) -> None:
    plant_vm(world)
    answer = client.delete(ONE)
    assert (answer.status_code, answer.get_json()["data"]["state"]) == (202, "deleting")


@pytest.mark.parametrize(
    ("query", "found"),
    [("", ["web", "db"]), ("state=stopped", ["db"]), ("tag=team-a", ["web"]), ("q=WEB", ["web"])],
)
def test_lists_are_narrowed(client: FlaskClient, world: AppContext, query: str, found: list[str]) -> None:
    plant_vm(world, f"vm_{UNKNOWN[:-1]}9", name="web", tags=["team-a"])
    plant_vm(world, f"vm_{UNKNOWN[:-1]}8", name="db", state="stopped")
    plant_vm(world, f"vm_{UNKNOWN[:-1]}7", name="gone", state="deleted")
    assert [row["name"] for row in client.get(f"{PATH}?{query}").get_json()["data"]] == found


def test_what_was_seen_is_told_with_its_age(client: FlaskClient, world: AppContext) -> None:
    plant_vm(world)
    shown = client.get(ONE).get_json()["data"]
    assert shown["lifecycle"] == {"status": "Running", "statusMessage": None}
    assert shown["observedAgeMs"] >= 0
