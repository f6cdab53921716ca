"""Workers that are stopped in order hand over what they do, and nothing of it counts as a failure."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.acceptance.faults.bench import SUCCESS, Bench
from tests.acceptance.servers.site import IMAGE, Machine
from tests.support.servers import until

pytestmark = pytest.mark.sqlite
SLOW_MS = 2_500


@dataclass
class Hosts:
    """The worker host beside the service: one for all tests, as long as none has stopped it."""

    bench: Bench
    log: Path
    kept: ExitStack
    is_there: bool = False

    def work(self) -> None:
        """From now on a worker runs."""
        if not self.is_there:
            self.kept.enter_context(self.bench.beside("worker", log=self.log))
            self.is_there = True

    def rest(self) -> None:
        """No worker runs any more."""
        self.kept.close()
        self.is_there = False


@pytest.fixture(scope="module")
def drained(embedded: Bench) -> Bench:
    """The service after `windlass worker drain`: accepting, without workers."""
    done = embedded.windlass("worker", "drain")
    assert done.returncode == 0, done.stderr
    assert embedded.service.stack.find("worker-bmc") is None
    return embedded


@pytest.fixture(scope="module")
def hosts(drained: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """No worker, until a test starts one."""
    with ExitStack() as kept:
        yield Hosts(drained, tmp_path_factory.mktemp("hosts") / "worker.log", kept)


@pytest.fixture
def hurried(hosts: Hosts, tmp_path: Path) -> Iterator[psutil.Process]:
    """A worker host that gives running steps one second to end; there is no other."""
    hosts.rest()
    short = {"WINDLASS_SOFT_SHUTDOWN_S": "1"}
    with hosts.bench.beside("worker", "--name", "hurried", log=tmp_path / "hurried.log", **short) as host:
        yield host


def switching_off(bench: Bench) -> tuple[Machine, str]:
    """A provisioning in the middle of the step that turns the machine off, which takes some seconds."""
    machine = bench.site("ipmi").available()
    machine.set(powerDelayMs=SLOW_MS)
    run_id = machine.act("provision", image=IMAGE)
    until(lambda: not machine.bmc.settled, 30, "it is told to go off")
    return machine, run_id


def test_a_step_that_outlasts_its_host_is_handed_over_and_not_counted(
    drained: Bench, hurried: psutil.Process, hosts: Hosts
) -> None:
    machine, run_id = switching_off(drained)
    hurried.send_signal(signal.SIGTERM)
    hurried.wait(300)
    step = drained.step(run_id, "power")
    assert (step["status"], step["lost"], step["tries"]) == ("pending", 0, 0)
    machine.set(powerDelayMs=100)
    hosts.work()
    assert drained.ended(run_id).status == "completed"
    assert machine.effects == SUCCESS


def test_a_step_whose_pool_process_is_told_to_go_is_lost_and_has_not_failed(
    drained: Bench, hosts: Hosts
) -> None:
    hosts.work()
    machine, run_id = switching_off(drained)
    process, _, _claim = drained.step(run_id, "power")["holder"].rpartition("/")
    psutil.Process(int(process.rpartition(":")[2])).send_signal(signal.SIGTERM)
    machine.set(powerDelayMs=100)
    assert drained.ended(run_id).status == "completed"
    step = drained.step(run_id, "power")
    assert (step["attempt"], step["tries"], step["lost"]) == (2, 1, 1)


def test_a_step_that_ends_in_time_is_not_begun_again(drained: Bench, hosts: Hosts) -> None:
    hosts.work()
    machine, run_id = switching_off(drained)
    assert drained.windlass("worker", "drain").returncode == 0
    hosts.rest()
    step = drained.step(run_id, "power")
    assert (step["status"], step["attempt"], step["lost"]) == ("completed", 1, 0)
    machine.set(powerDelayMs=100)
    hosts.work()
    assert drained.ended(run_id).status == "completed"
    assert machine.effects == SUCCESS


def test_the_embedded_valkey_may_be_killed_and_lose_everything(drained: Bench, hosts: Hosts) -> None:
    hosts.work()
    machine, run_id = switching_off(drained)
    valkey = drained.service.stack.find("valkey")
    assert valkey is not None
    valkey.kill()
    shutil.rmtree(drained.service.stack.settings.state / "valkey" / "appendonlydir")
    assert drained.ended(run_id).status == "completed"
    assert machine.effects == SUCCESS
