"""What every driver of virtual machines does alike: the driver in memory, and KubeVirt on an API server."""

from collections.abc import Iterator

import pytest

from app.domain.errors import KubeConflict, KubeError
from app.domain.ownership import annotations, labels
from app.providers.vms import Machine, MachineWish
from tests.integration.vms.rigs import OBJECTS, RIGS, Rig
from tests.support.servers import until

DISKS = [
    {"source": "docker://debian:12", "boot": True},
    {"source": "pvc://tools", "type": "cdrom", "boot": True, "mode": "ro"},
]
CONTENT = {"cpus": 1, "memoryMb": 512, "disks": DISKS}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A management cluster of each kind."""
    with RIGS[request.param]() as made:
        yield made


@pytest.fixture(params=OBJECTS)
def objects(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The same and, by WINDLASS_TEST_KUBECONFIG, a real one: for facts about objects alone."""
    with OBJECTS[request.param]() as made:
        yield made


def wish(run_strategy: str = "Manual") -> MachineWish:
    """A machine."""
    owner, writer = labels("vm_1"), annotations("run_1", "create-vm")
    return MachineWish(
        name="web-1", content=CONTENT, run_strategy=run_strategy, labels=owner, annotations=writer
    )


def seen(rig: Rig) -> Machine:
    """The machine as it is now."""
    found = rig.machines.find("web-1")
    assert found is not None
    return found


def reaches(rig: Rig, state: str) -> None:
    """Wait until the machine is in a state."""
    until(lambda: seen(rig).state == state, why=lambda: f"{state}, but {seen(rig).told}")


def running(rig: Rig, run_strategy: str = "Manual") -> None:
    """A machine that runs."""
    rig.machines.apply(wish(run_strategy))
    if run_strategy in ("Manual", "Halted"):
        rig.machines.act("web-1", "start")
    reaches(rig, "running")


def test_a_machine_is_made_once_and_bears_its_owner(objects: Rig) -> None:
    first, second = objects.machines.apply(wish()), objects.machines.apply(wish())
    assert (first.uid, first.owner, first.run_strategy) == (second.uid, "vm_1", "Manual")


@pytest.mark.parametrize("run_strategy", ["Manual", "Halted", "Always", "RerunOnFailure", "Once"])
def test_a_machine_runs_whatever_its_run_strategy(rig: Rig, run_strategy: str) -> None:
    running(rig, run_strategy)
    assert rig.machines.instance("web-1")


@pytest.mark.parametrize("run_strategy", ["Manual", "Halted", "Always"])
def test_a_machine_stops_and_starts_again(rig: Rig, run_strategy: str) -> None:
    running(rig, run_strategy)
    rig.machines.act("web-1", "stop", 0)
    reaches(rig, "stopped")
    rig.machines.act("web-1", "start")
    reaches(rig, "running")


def test_a_machine_is_paused_and_goes_on(rig: Rig) -> None:
    running(rig)
    rig.machines.act("web-1", "pause")
    reaches(rig, "paused")
    rig.machines.act("web-1", "unpause")
    reaches(rig, "running")


def test_a_restart_is_another_start(rig: Rig) -> None:
    running(rig)
    before = rig.machines.instance("web-1")
    rig.machines.act("web-1", "restart", 0)
    until(lambda: rig.machines.instance("web-1") not in (None, before))
    reaches(rig, "running")


@pytest.mark.parametrize("action", ["start", "unpause"])
def test_what_is_so_already_counts_as_done(rig: Rig, action: str) -> None:
    running(rig)
    rig.machines.act("web-1", action)
    assert seen(rig).state == "running"


def test_an_order_that_is_under_way_counts_as_given(rig: Rig) -> None:
    rig.machines.apply(wish())
    reaches(rig, "stopped")
    rig.break_("asleep")
    rig.machines.act("web-1", "start")
    rig.machines.act("web-1", "start")
    assert seen(rig).already("start") and not seen(rig).already("stop")


def test_a_stopped_machine_is_stopped_and_paused_is_paused(rig: Rig) -> None:
    running(rig)
    rig.machines.act("web-1", "pause")
    reaches(rig, "paused")
    rig.machines.act("web-1", "pause")
    rig.machines.act("web-1", "stop")
    reaches(rig, "stopped")
    rig.machines.act("web-1", "stop")


@pytest.mark.parametrize("action", ["restart", "pause", "unpause"])
def test_what_a_stopped_machine_cannot_do_is_refused(rig: Rig, action: str) -> None:
    rig.machines.apply(wish())
    reaches(rig, "stopped")
    with pytest.raises(KubeError):
        rig.machines.act("web-1", action)


def test_what_cannot_run_is_hopeless(rig: Rig) -> None:
    rig.break_("broken")
    rig.machines.apply(wish())
    rig.machines.act("web-1", "start")
    until(lambda: seen(rig).hopeless)


def test_one_that_does_not_start_says_what_it_does(rig: Rig) -> None:
    rig.break_("never")
    rig.machines.apply(wish())
    rig.machines.act("web-1", "start")
    until(lambda: "Starting" in seen(rig).told)
    assert seen(rig).state is None


def test_a_deleted_machine_is_gone(rig: Rig) -> None:
    running(rig)
    assert rig.machines.delete("web-1", seen(rig).uid) is True
    until(lambda: rig.machines.find("web-1") is None)
    assert rig.machines.delete("web-1") is False


def test_another_one_of_its_name_is_spared(objects: Rig) -> None:
    objects.machines.apply(wish())
    with pytest.raises(KubeConflict):
        objects.machines.delete("web-1", "00000000-0000-0000-0000-000000000000")
    assert not seen(objects).deleting


def test_what_cannot_go_says_what_holds_it(rig: Rig) -> None:
    running(rig)
    rig.break_("stuck")
    rig.machines.delete("web-1")
    until(lambda: seen(rig).deleting)
    assert "finalizer" in seen(rig).told
