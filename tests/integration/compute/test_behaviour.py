"""What every driver of servers does alike: the driver in memory, and the clouds on their doubles."""

from collections.abc import Iterator

import pytest

from app.domain.errors import (
    CloudAuthFailed,
    CloudError,
    CloudNoCapacity,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnreachable,
)
from app.providers.compute import Machine, Spec
from tests.integration.compute.rigs import RIGS, Rig
from tests.support.servers import until

SPEC = Spec(name="web-1", plan="small", zone="here", batch="b1", user_data="#cloud-config\n")
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """An account of each cloud."""
    with RIGS[request.param]() as made:
        yield made


def running(rig: Rig, id_: str) -> Machine:
    """The machine, once it runs."""

    def runs() -> bool:
        seen = rig.compute.look(id_)
        return seen is not None and seen.state == "running"

    until(runs)
    seen = rig.compute.look(id_)
    assert seen is not None
    return seen


def removed(rig: Rig, id_: str) -> None:
    """Remove a machine and wait until it is gone."""
    until(lambda: rig.compute.remove(id_))


def test_the_account_says_who_we_are_and_what_is_on_offer(rig: Rig) -> None:
    assert rig.compute.whoami().name
    assert any(plan.cpus >= 1 and plan.memory_mb >= 512 for plan in rig.compute.plans())
    assert rig.compute.zones()


def test_the_clocks_agree(rig: Rig) -> None:
    skew = rig.compute.whoami().clock_skew_ms
    assert skew is not None and abs(skew) < 5_000


def test_a_machine_comes_up_with_name_labels_and_an_address(rig: Rig) -> None:
    made = rig.compute.create(SPEC, TOKEN)
    seen = running(rig, made.id)
    assert (seen.name, seen.token, seen.batch) == ("web-1", TOKEN, "b1")
    assert seen.addresses


def test_a_machine_is_found_by_token_by_name_and_by_batch(rig: Rig) -> None:
    made = rig.compute.create(SPEC, TOKEN)
    for by in ({"token": TOKEN}, {"name": "web-1"}, {"batch": "b1"}):
        assert [one.id for one in rig.compute.find(**by)] == [made.id]
    for by in ({"token": "f" * 32}, {"name": "web-2"}, {"batch": "b2"}):
        assert rig.compute.find(**by) == []


def test_a_removed_machine_is_gone_and_removing_it_again_is_done_at_once(rig: Rig) -> None:
    made = running(rig, rig.compute.create(SPEC, TOKEN).id)
    removed(rig, made.id)
    assert rig.compute.look(made.id) is None
    assert rig.compute.find(name="web-1") == []
    assert rig.compute.remove(made.id)
    assert rig.there() == 0


def test_a_machine_that_is_still_coming_up_can_be_removed(rig: Rig) -> None:
    removed(rig, rig.compute.create(SPEC, TOKEN).id)
    assert rig.there() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        Spec(name="a", plan="13xNONE", zone="here", batch="b"),
        Spec(name="a", plan="small", zone="xx-none9", batch="b"),
    ],
)
def test_what_is_not_on_offer_is_refused_for_good(rig: Rig, wrong: Spec) -> None:
    with pytest.raises(CloudRefused) as refused:
        rig.compute.create(wrong, TOKEN)
    assert refused.value.nothing_happened and not refused.value.retryable
    assert rig.there() == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("badAuth", CloudAuthFailed),
        ("throttle", CloudThrottled),
        ("noCapacity", CloudNoCapacity),
        ("quota", CloudQuotaExceeded),
    ],
)
def test_a_refusal_is_told_apart_and_nothing_happened(rig: Rig, fault: str, error: type[CloudError]) -> None:
    rig.break_(fault)
    with pytest.raises(error) as refused:
        rig.compute.create(SPEC, TOKEN)
    assert refused.value.nothing_happened
    assert rig.there() == 0


def test_a_throttled_call_says_how_long_to_wait(rig: Rig) -> None:
    rig.break_("throttle")
    with pytest.raises(CloudThrottled) as refused:
        rig.compute.zones()
    assert refused.value.retry_after_ms == 1_000


def test_after_a_lost_answer_the_outcome_is_unknown_and_a_look_finds_the_machine(rig: Rig) -> None:
    rig.break_("drop")
    with pytest.raises(CloudUnreachable) as lost:
        rig.compute.create(SPEC, TOKEN)
    assert not lost.value.nothing_happened
    rig.break_("")
    assert len(rig.compute.find(token=TOKEN)) == rig.there() == 1


def test_a_new_machine_may_be_listed_late(rig: Rig) -> None:
    if not rig.compute.lists_late:
        pytest.skip("this provider lists a machine at once")
    rig.break_("late")
    made = rig.compute.create(SPEC, TOKEN)
    assert rig.compute.find(token=TOKEN) == []
    rig.break_("")
    assert [one.id for one in rig.compute.find(token=TOKEN)] == [made.id]


def test_twins_are_all_found_in_the_same_order_by_everybody(rig: Rig) -> None:
    rig.break_("twins")
    made = rig.compute.create(SPEC, TOKEN)
    rig.break_("")
    found = rig.compute.find(token=TOKEN)
    assert len(found) == rig.there() == 2 and made.id in {one.id for one in found}
    assert found == sorted(found, key=lambda one: (one.created_at, one.id))


def test_a_machine_that_never_was_is_not_there(rig: Rig) -> None:
    rig.break_("lies")
    made = rig.compute.create(SPEC, TOKEN)
    assert rig.compute.look(made.id) is None
    assert rig.compute.find(token=TOKEN) == []


def test_a_stuck_machine_stays_on_its_way(rig: Rig) -> None:
    rig.break_("stuck")
    made = rig.compute.create(SPEC, TOKEN)
    for _ in range(3):
        seen = rig.compute.look(made.id)
        assert seen is not None and seen.state == "creating"
