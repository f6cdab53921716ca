"""The controller of VirtualMachines and KubeVirt's calls."""

from typing import Any

import pytest
from kubernetes import client

from app.lab.kube import Behaviour, Kube
from tests.integration.kube_double.places import INSTANCES, MACHINES, Place, call, machine
from tests.integration.kube_double.widgets import refused
from tests.support.servers import until

ACCEPTED = (202, "")


@pytest.fixture
def machines(api: client.ApiClient) -> Place:
    return Place(api, MACHINES)


@pytest.fixture
def instances(api: client.ApiClient) -> Place:
    return Place(api, INSTANCES)


@pytest.fixture(autouse=True)
def quick(kube: Kube) -> None:
    kube.server().vms.behave(Behaviour(delay_ms=20, delete_ms=20))


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [("Always", "Running"), ("Once", "Running"), ("Manual", "Stopped"), ("Halted", "Stopped")],
)
def test_the_strategy_says_whether_it_runs(
    machines: Place, instances: Place, strategy: str, shown: str
) -> None:
    machines.create(machine(strategy=strategy))
    found = machines.until_shown(shown)
    assert found["status"]["ready"] is (shown == "Running")
    assert instances.names() == (["m"] if shown == "Running" else [])


def test_a_machine_is_started_and_stopped(kube: Kube, machines: Place, instances: Place) -> None:
    machines.create(machine())
    machines.until_shown("Stopped")
    assert call(kube, "start") == ACCEPTED
    machines.until_shown("Running")
    assert instances.status("m")["phase"] == "Running"
    assert call(kube, "stop") == ACCEPTED
    machines.until_shown("Stopped")
    assert instances.names() == []


def test_what_is_so_already_is_a_conflict(kube: Kube, machines: Place) -> None:
    machines.create(machine())
    machines.until_shown("Stopped")
    assert call(kube, "stop") == (409, _conflict("VM is not running"))
    call(kube, "start")
    machines.until_shown("Running")
    assert call(kube, "start") == (409, _conflict("VM is already running"))


@pytest.mark.parametrize(
    ("strategy", "action", "expected"),
    [
        ("Always", "start", 409),
        ("Always", "stop", 202),
        ("Always", "restart", 202),
        ("Once", "restart", 409),
        ("Once", "stop", 202),
        ("RerunOnFailure", "stop", 202),
    ],
)
def test_the_strategy_says_what_may_be_asked_of_what_runs(
    kube: Kube, machines: Place, strategy: str, action: str, expected: int
) -> None:
    machines.create(machine(strategy=strategy))
    machines.until_shown("Running")
    assert call(kube, action)[0] == expected


@pytest.mark.parametrize(("action", "expected"), [("start", 202), ("stop", 409), ("restart", 409)])
def test_a_halted_machine_can_only_be_started(
    kube: Kube, machines: Place, action: str, expected: int
) -> None:
    machines.create(machine(strategy="Halted"))
    machines.until_shown("Stopped")
    assert call(kube, action)[0] == expected


def test_starting_and_stopping_change_the_strategy_that_says_so(kube: Kube, machines: Place) -> None:
    machines.create(machine(strategy="Halted"))
    machines.until_shown("Stopped")
    call(kube, "start")
    assert machines.until_shown("Running")["spec"]["runStrategy"] == "Always"
    call(kube, "stop")
    assert machines.until_shown("Stopped")["spec"]["runStrategy"] == "Halted"


def test_a_restart_is_another_instance(kube: Kube, machines: Place, instances: Place) -> None:
    machines.create(machine(strategy="Always"))
    machines.until_shown("Running")
    before = instances.get("m")["metadata"]["uid"]
    assert call(kube, "restart") == ACCEPTED

    def another() -> bool:
        found = instances.names() and instances.get("m")["metadata"]["uid"]
        return bool(found and found != before)

    until(another, why="there is another instance")
    machines.until_shown("Running")


@pytest.mark.parametrize("grace", [1, -1])
def test_a_restart_takes_no_grace(kube: Kube, machines: Place, grace: int) -> None:
    machines.create(machine())
    assert call(kube, "restart", gracePeriodSeconds=grace)[0] == 400


def test_two_calls_at_once_get_in_each_others_way(kube: Kube, machines: Place) -> None:
    machines.create(machine())
    machines.until_shown("Stopped")
    kube.server().vms.behave(Behaviour(asleep=True))
    assert call(kube, "start") == ACCEPTED
    status, message = call(kube, "start")
    assert status == 500 and "already underway" in message


def test_a_machine_is_paused(kube: Kube, machines: Place) -> None:
    machines.create(machine(strategy="Always"))
    machines.until_shown("Running")
    assert call(kube, "pause", plural="virtualmachineinstances") == ACCEPTED
    machines.until_shown("Paused")
    assert call(kube, "pause", plural="virtualmachineinstances")[0] == 409
    assert call(kube, "unpause", plural="virtualmachineinstances") == ACCEPTED
    machines.until_shown("Running")


@pytest.mark.parametrize(
    ("strategy", "phase", "shown"),
    [
        ("Always", "Failed", "Running"),
        ("RerunOnFailure", "Failed", "Running"),
        ("RerunOnFailure", "Succeeded", "Stopped"),
        ("Manual", "Succeeded", "Stopped"),
    ],
)
def test_the_strategy_says_what_follows_when_the_guest_ends(
    kube: Kube, machines: Place, instances: Place, strategy: str, phase: str, shown: str
) -> None:
    machines.create(machine(strategy=strategy))
    if strategy == "Manual":
        machines.until_shown("Stopped")
        call(kube, "start")
    machines.until_shown("Running")
    first = instances.get("m")["metadata"]["uid"]
    instances.set_status("m", {"phase": phase})
    machines.until("m", lambda content: not content["status"]["ready"], "it has ended")
    machines.until_shown(shown)
    assert (instances.get("m")["metadata"]["uid"] == first) is (shown == "Stopped")


def test_its_own_disks_are_filled_first_and_go_with_it(api: client.ApiClient, machines: Place) -> None:
    disks = Place(api, ("cdi.kubevirt.io", "v1beta1", "default", "datavolumes"))
    machines.create(
        machine(strategy="Always", dataVolumeTemplates=[{"metadata": {"name": "root"}, "spec": {}}])
    )
    machines.until_shown("Running")
    assert disks.status("root")["phase"] == "Succeeded"
    machines.delete("m")
    machines.until_gone("m")
    until(lambda: disks.names() == [], why="the disk is gone")


def test_a_deletion_that_is_stuck_ends_when_it_no_longer_is(
    kube: Kube, machines: Place, instances: Place
) -> None:
    machines.create(machine(strategy="Always"))
    machines.until_shown("Running")
    kube.server().vms.behave(Behaviour(stuck=True))
    machines.delete("m")
    machines.until_shown("Terminating")
    assert instances.names() == ["m"]
    kube.server().vms.behave(Behaviour(delete_ms=1))
    machines.until_gone("m")
    assert instances.names() == []


def test_a_lie_takes_every_call_and_does_nothing(kube: Kube, machines: Place) -> None:
    machines.create(machine())
    machines.until_shown("Stopped")
    kube.server().vms.behave(Behaviour(lies=True))
    assert call(kube, "start") == ACCEPTED
    assert call(kube, "start") == ACCEPTED
    assert machines.status("m")["printableStatus"] == "Stopped"


def test_a_failure_is_the_word_that_is_shown(kube: Kube, machines: Place) -> None:
    kube.server().vms.behave(Behaviour(fail="ErrorUnschedulable", delay_ms=1))
    machines.create(machine(strategy="Always"))
    machines.until_shown("ErrorUnschedulable")


@pytest.mark.parametrize(
    "spec", [{"running": True}, {"runStrategy": "Sometimes"}, {"template": {"spec": {}}}]
)
def test_what_makes_no_sense_is_refused(machines: Place, spec: dict[str, Any]) -> None:
    refused(422, "Invalid", lambda: machines.create(machine(**spec)))


def test_a_disk_needs_its_volume(machines: Place) -> None:
    wanted = machine()
    wanted["spec"]["template"]["spec"]["domain"]["devices"]["disks"] = [{"name": "root"}]
    assert "'root' not found" in refused(422, "Invalid", lambda: machines.create(wanted))


CLAIM: dict[str, Any] = {"persistentVolumeClaim": {"claimName": "iso"}}
POD: list[dict[str, Any]] = [{"name": "a", "pod": {}}, {"name": "b", "pod": {}}]


@pytest.mark.parametrize(
    ("disks", "volume", "networks", "why"),
    [
        ([{"cdrom": {"bus": "virtio"}}], CLAIM, [], "virtio is invalid for CD-ROM"),
        ([{"disk": {"bus": "sata", "readonly": True}}], CLAIM, [], "do not support read-only"),
        ([{"bootOrder": 1}, {"bootOrder": 1}], CLAIM, [], "already set for a different device"),
        ([{"bootOrder": 0}], CLAIM, [], "boot order > 0"),
        ([{"disk": {"bus": "ide"}}], CLAIM, [], "unrecognized bus ide"),
        ([{"disk": {}, "cdrom": {}}], CLAIM, [], "single target type"),
        ([{"lun": {}}], {"containerDisk": {"image": "i"}}, [], "PersistentVolumeClaim"),
        ([{}], {"cloudInitNoCloud": {"userData": "x" * 2_049}}, [], "exceeds 2048 byte limit"),
        ([], CLAIM, POD, "more than one interface"),
    ],
)
def test_what_kubevirt_refuses_is_refused_here(
    machines: Place, disks: Any, volume: Any, networks: Any, why: str
) -> None:
    wanted = machine()
    inside = wanted["spec"]["template"]["spec"]
    names = [f"disk-{place}" for place in range(len(disks))]
    inside["domain"]["devices"]["disks"] = [
        {"name": name, **disk} for name, disk in zip(names, disks, strict=True)
    ]
    inside["volumes"] = [{"name": name, **volume} for name in names]
    inside["networks"] = networks
    assert why in refused(422, "Invalid", lambda: machines.create(wanted))


def _conflict(why: str) -> str:
    return f'Operation cannot be fulfilled on virtualmachines.kubevirt.io "m": {why}'
