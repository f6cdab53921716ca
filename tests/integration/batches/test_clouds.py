"""Batches over both doubled clouds: what is made is made once, and what is undone is gone."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.lab.clouds import Clouds, cloud, upcloud
from app.lab.clouds.faults import Faults
from app.providers.compute import Access, Compute, Machine, Spec, connect
from app.providers.compute.aws import AwsCompute
from app.services import batches
from app.services.batches import accounts
from tasks import instance
from tests.integration.batches.rig import Rig, failing, servers
from tests.integration.compute.rigs import aws_access, upcloud_access

PLACES = {"upcloud": ("1xCPU-2 GB", "fi-hel1"), "aws": ("t3.micro", "eu-central-1a")}


@pytest.fixture
def lab(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    """Both clouds, in which nothing takes time; the batches of the rig work with them."""
    for state, (following, _after) in list(cloud.NEXT.items()):
        monkeypatch.setitem(cloud.NEXT, state, (following, 0.0))
    with Clouds() as made:
        accesses: dict[str, Access] = {"upcloud": upcloud_access(made), "aws": aws_access(made)}
        local = rig.world.compute

        def compute(provider: str, account: str) -> Compute:
            if provider == "local":
                return local(provider, account)
            return connect(replace(accesses[provider], plans={}, zones={}))

        monkeypatch.setattr(rig.world, "compute", compute)
        yield made


def at(provider: str, *names: str, **more: Any) -> dict[str, Any]:
    """An operation that makes servers at a cloud."""
    plan, zone = PLACES[provider]
    configs = [{"name": name, "plan": plan, "zone": zone} for name in names]
    return {**servers(provider, *names, **more), "provider": provider, "server_configs": configs}


def there(lab: Clouds, provider: str) -> list[str]:
    """The names of the servers that are paid for."""
    return sorted(one.name for one in lab.clouds[provider].living())


def broken(lab: Clouds, provider: str, **faults: Any) -> None:
    """Break one of the clouds."""
    lab.clouds[provider].active_faults.current = Faults(**faults)


def test_a_batch_over_both_clouds_completes_and_its_rollback_leaves_nothing(rig: Rig, lab: Clouds) -> None:
    batch = rig.run(at("upcloud", "web-1", "web-2"), at("aws", "db-1", needs=["upcloud"]))
    assert rig.driver.status(batch) == "completed"
    assert (there(lab, "upcloud"), there(lab, "aws")) == (["web-1", "web-2"], ["db-1"])
    undone = rig.roll_back(batch)
    assert undone is not None and rig.driver.status(undone) == "completed"
    assert (there(lab, "upcloud"), there(lab, "aws")) == ([], [])


@pytest.mark.parametrize("provider", PLACES)
def test_an_order_whose_answer_was_lost_is_not_given_twice(rig: Rig, lab: Clouds, provider: str) -> None:
    broken(lab, provider, drop="answer", fail_times=1)
    batch = rig.run(at(provider, "web-1"))
    assert rig.driver.status(batch) == "completed"
    assert there(lab, provider) == ["web-1"]


def test_a_late_list_after_a_lost_answer_makes_no_second_instance(rig: Rig, lab: Clouds) -> None:
    broken(lab, "aws", drop="answer", fail_times=1)
    lab.clouds["aws"].active_faults._healthy = Faults(late=3600)  # What it is mended to.
    batch = rig.run(at("aws", "db-1"))
    assert (rig.driver.status(batch), there(lab, "aws")) == ("completed", ["db-1"])


@pytest.mark.parametrize("lost", ["", "answer"])
@pytest.mark.parametrize("provider", PLACES)
def test_of_twins_one_is_left(rig: Rig, lab: Clouds, provider: str, lost: str) -> None:
    broken(lab, provider, twins=True, drop=lost, fail_times=2 if lost else 1)
    batch = rig.run(at(provider, "web-1"))
    assert (rig.driver.status(batch), there(lab, provider)) == ("completed", ["web-1"])


@pytest.mark.parametrize("provider", PLACES)
def test_a_server_of_the_name_that_is_something_else_is_a_conflict(
    rig: Rig, lab: Clouds, provider: str
) -> None:
    plan, zone = {"upcloud": ("4xCPU-8GB", "uk-lon1"), "aws": ("t3.large", "eu-central-1b")}[provider]
    rig.world.compute(provider, "default").create(
        Spec(name="web-1", plan=plan, zone=zone, batch="b"), "t" * 32
    )
    batch = rig.run(at(provider, "web-1"))
    assert rig.driver.status(batch) != "completed"
    assert there(lab, provider) == ["web-1"]
    codes = {row["error_code"] for row in rig.children(batch) if row["type"] == "batch.servers"}
    assert codes == {"CONFIGURATION_CONFLICT"}


def test_a_server_that_is_there_in_a_zone_of_the_wanted_region_is_kept(rig: Rig, lab: Clouds) -> None:
    strange = Spec(name="db-1", plan="t3.micro", zone="eu-central-1a", batch="b")
    rig.world.compute("aws", "default").create(strange, "t" * 32)
    operation = at("aws", "db-1")
    operation["server_configs"][0]["zone"] = "eu-central-1"
    batch = rig.run(operation)
    assert (rig.driver.status(batch), there(lab, "aws")) == ("completed", ["db-1"])
    assert rig.roll_back(batch) is None


@pytest.mark.parametrize("provider", PLACES)
def test_a_throttled_step_uses_up_no_attempt(rig: Rig, lab: Clouds, provider: str) -> None:
    broken(lab, provider, throttle=1.0, retry_after=0, fail_times=12)
    batch = rig.run(at(provider, "web-1"))
    assert (rig.driver.status(batch), there(lab, provider)) == ("completed", ["web-1"])


@pytest.mark.parametrize("provider", PLACES)
def test_what_a_failed_batch_has_made_is_removed_again(rig: Rig, lab: Clouds, provider: str) -> None:
    broken(lab, provider, quota=2)
    batch = rig.run(at(provider, "web-1", "web-2", "web-3"))
    assert rig.driver.status(batch) != "completed"
    assert there(lab, provider) == []


def test_a_server_that_was_never_made_though_the_cloud_reported_it_fails(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "LATE_MS", 0)
    broken(lab, "upcloud", lies=True)
    batch = rig.run(at("upcloud", "web-1"))
    assert rig.driver.status(batch) != "completed"
    assert there(lab, "upcloud") == []


def shown_as(lab: Clouds, provider: str, state: str) -> None:
    """The only server of a cloud is in this state."""
    (server,) = lab.clouds[provider].living()
    lab.clouds[provider]._keep(replace(server, state=state))


def test_a_retry_waits_for_what_a_rollback_is_removing_and_makes_it_anew(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rig.run(at("aws", "db-1"), failing("bad", on_failure="fail"))
    shown_as(lab, "aws", "removing")
    monkeypatch.setitem(cloud.NEXT, "removing", ("gone", 0.5))
    monkeypatch.setattr(accounts, "accounts_of", lambda *_asked: defaultdict(lambda: "default"))

    again = str(batches.retry(rig.ctx, first, operations=["aws"])["workflow_id"])
    rig.finish(again)

    assert rig.statuses(again)["aws"] == "completed"
    assert there(lab, "aws") == ["db-1"]
    assert [row["incarnation"] for row in rig.inventory() if row["provider"] == "aws"] == [1, 2]


@pytest.mark.parametrize("by", ["a batch", "hand"])
def test_a_server_of_others_that_has_failed_is_not_kept(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setitem(upcloud.STATES, "failed", "error")
    if by == "hand":
        plan, zone = PLACES["upcloud"]
        rig.world.compute("upcloud", "default").create(
            Spec(name="web-1", plan=plan, zone=zone, batch="b"), "t" * 32
        )
    else:
        rig.run(at("upcloud", "web-1"))
    shown_as(lab, "upcloud", "failed")

    batch = rig.run(at("upcloud", "web-1"))

    assert rig.driver.run(batch)["error_code"] == "CONFIGURATION_CONFLICT"
    assert there(lab, "upcloud") == ["web-1"]


def unknown_at_first(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """EC2 does not know the id of a new instance, nor list it, for so many requests."""
    left = iter(range(times))
    real = AwsCompute._machines

    def machines(cloud: AwsCompute, query: Mapping[str, str]) -> Iterator[Machine]:
        return real(cloud, query) if next(left, None) is None else iter(())

    monkeypatch.setattr(AwsCompute, "_machines", machines)


def test_an_instance_whose_id_is_not_known_at_once_is_waited_for(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_at_first(monkeypatch, 4)

    batch = rig.run(at("aws", "db-1"))

    assert (rig.driver.status(batch), there(lab, "aws")) == ("completed", ["db-1"])


def test_an_instance_whose_id_is_not_known_at_once_is_removed_all_the_same(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = rig.submit(at("aws", "db-1"))
    rig.driver.deliver()
    batches.cancel(rig.ctx, batch)
    assert (rig.finish(batch), there(lab, "aws")) == ("cancelled", ["db-1"])
    unknown_at_first(monkeypatch, 4)

    rig.roll_back(batch)

    assert there(lab, "aws") == []


def test_a_worker_that_died_before_the_id_was_known_makes_no_second_instance(
    rig: Rig, lab: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_at_first(monkeypatch, 3)
    failures = iter([RuntimeError("the worker is gone")])
    real = instance._note

    def note(*values: Any) -> None:
        real(*values)
        for failure in failures:
            raise failure

    monkeypatch.setattr(instance, "_note", note)
    batch = rig.run(at("aws", "db-1"))

    assert (rig.driver.status(batch), there(lab, "aws")) == ("completed", ["db-1"])
    assert [row["state"] for row in rig.inventory()] == [
        "running"
    ]  # Ours, not one that was found by its name.
