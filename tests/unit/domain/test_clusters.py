"""How clusters are scaled, by template, and what their states and those of machines allow."""

from typing import Any

import pytest

from app.domain import clusters, vms
from app.domain.clusters import Unscalable, resized, scaled


@pytest.mark.parametrize(
    ("template", "config", "numbers", "expected"),
    [
        ("aws-standalone-cp-1-0-16", {"a": 1}, {"workers": 0}, {"a": 1, "workersNumber": 0}),
        ("kubevirt-standalone-cp-1-0-2", {}, {"control_planes": 3}, {"controlPlaneNumber": 3}),
        ("aws-eks-1-0-0", {"workersNumber": 1}, {"workers": 4}, {"workersNumber": 4}),
        (
            "azure-aks-1-0-0",
            {"machinePools": {"system": {"count": 1}, "user": {"count": 1}}},
            {"workers": 4},
            {"machinePools": {"system": {"count": 1}, "user": {"count": 4}}},
        ),
        (
            "azure-aks-1-0-0",
            {"machinePools": {"only": {"count": 1}}},
            {"workers": 2},
            {"machinePools": {"only": {"count": 2}}},
        ),
        ("remote-cluster-1-0-15", {}, {"control_planes": 3}, {"controlPlaneNumber": 3}),
    ],
)
def test_each_family_of_templates_keeps_its_numbers_in_its_own_place(
    template: str, config: dict[str, Any], numbers: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = dict(config)

    assert scaled(config, template, **numbers) == expected
    assert config == before


@pytest.mark.parametrize(
    ("template", "config", "numbers"),
    [
        ("adopted-cluster-1-0-1", {}, {"workers": 1}),
        ("aws-eks-1-0-0", {}, {"control_planes": 1}),
        ("aws-hosted-cp-1-0-0", {}, {"workers": 0}),
        ("aws-standalone-cp-1-0-0", {}, {"control_planes": 0}),
        ("remote-cluster-1-0-15", {}, {"workers": 3}),
        ("azure-aks-1-0-0", {"machinePools": {"a": {}, "b": {}}}, {"workers": 1}),
        ("our-own-1", {}, {"workers": 1}),
    ],
)
def test_what_a_template_does_not_let_be_changed_is_refused(
    template: str, config: dict[str, Any], numbers: dict[str, Any]
) -> None:
    with pytest.raises(Unscalable):
        scaled(config, template, **numbers)


def test_a_template_of_no_known_family_is_asked_for_its_parameters() -> None:
    assert scaled({}, "our-own-1", workers=2, defaults={"workersNumber": 1}) == {"workersNumber": 2}


@pytest.mark.parametrize(
    ("counts", "workers", "expected"),
    [([2], 5, [5]), ([2, 1], 5, [2, 3]), ([2, 3], 3, [2, 1]), ([2, 3], 1, [1, 0]), ([2], 2, [2])],
)
def test_pools_of_servers_grow_and_shrink_at_the_end(
    counts: list[int], workers: int, expected: list[int]
) -> None:
    pools = [{"poolId": str(place), "count": count} for place, count in enumerate(counts)]

    assert [pool["count"] for pool in resized(pools, workers)] == expected


def test_a_cluster_on_servers_keeps_one() -> None:
    with pytest.raises(Unscalable):
        resized([{"poolId": "a", "count": 2}], 0)


@pytest.mark.parametrize("states", [clusters, vms])
def test_every_state_says_what_it_allows_and_every_way_leads_to_a_state(states: Any) -> None:
    assert set(states.ALLOWED) == set(states.STATES) >= set(states.TRANSIENT.values())
    assert {action for allowed in states.ALLOWED.values() for action in allowed} == {
        "create",
        *states.ACTIONS,
    }


@pytest.mark.parametrize("states", [clusters, vms])
def test_what_has_no_object_can_only_be_deleted_or_made_again(states: Any) -> None:
    assert states.allowed_actions("error", built=False) == ["delete"]
    assert states.allows("error", "create", built=False)


@pytest.mark.parametrize("action", vms.POWER)
def test_every_switch_of_a_machine_ends_in_a_state(action: str) -> None:
    assert vms.REACHED[action] in vms.STATES
