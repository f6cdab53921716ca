"""Plans: wired by names before anything runs, printable, cut into the links that a chain carries."""

from typing import Any

import pytest

from app.domain.errors import PlanError
from app.domain.plan import MOST_ITEMS, SPACING, Plan, each, map_rows, segments
from app.domain.policy import ANY
from tasks.step import operation, step


@step(gives="disk")
def find_disk(ctx: Any, server: str) -> dict[str, Any]:
    """Needs a server, gives a disk."""
    return {"disk": server}


@step
def wipe(ctx: Any, disk: str, passes: int = 1) -> None:
    """Needs a disk."""


@step(queue="bmc")
def power_on(ctx: Any) -> None:
    """On another queue."""


@step(queue="bmc", alone=True)
def power_cycle(ctx: Any) -> None:
    """Wants a message of its own."""


@operation(timeout="1h", queue="bmc")
def install(ctx: Any) -> dict[str, Any]:
    """Parks."""
    return {}


def test_names_come_from_the_input_and_from_earlier_steps() -> None:
    assert (find_disk() | wipe()).wire({"server"}) == {"server", "disk"}


def test_a_name_that_nobody_provides_is_an_error() -> None:
    with pytest.raises(PlanError, match="wipe needs disk, which nobody provides"):
        wipe().wire({"server"})


def test_a_name_that_comes_too_late_is_an_error() -> None:
    with pytest.raises(PlanError, match="wipe needs disk"):
        (wipe() | find_disk()).wire({"server"})


def test_the_plan_may_write_a_value() -> None:
    wipe(disk="sda", passes=3).wire(())


def test_a_strange_parameter_is_an_error() -> None:
    with pytest.raises(PlanError, match="wipe has no parameter speed"):
        wipe(disk="sda", speed=9).wire(())


def test_branches_do_not_see_each_other_and_both_are_seen_afterwards() -> None:
    with pytest.raises(PlanError, match="wipe needs disk"):
        (find_disk() & wipe()).wire({"server"})
    assert "disk" in ((find_disk() & power_on()) | wipe()).wire({"server"})


def test_a_map_needs_a_list_of_its_name() -> None:
    fan = each("disks", "disk", wipe(), gives="wiped")

    with pytest.raises(PlanError, match="The map over 'disks'"):
        fan.wire({"server"})
    assert fan.wire({"disks"}) == {"disks", "wiped"}


def test_a_fan_out_inside_a_fan_out_is_an_error() -> None:
    inner = each("disks", "disk", wipe(), gives="wiped")

    for outer in (power_on() & (power_cycle() | inner), power_on() & (inner | power_on())):
        with pytest.raises(PlanError, match="fan-out inside a fan-out"):
            outer.rows()


def test_an_undo_must_do_without_what_its_step_gives() -> None:
    with pytest.raises(PlanError, match="needs a default for disk"):

        @find_disk.undo
        def lose_disk(ctx: Any, disk: str) -> None:
            """Wants what may not be there."""


def test_an_undo_must_do_without_a_reference() -> None:
    with pytest.raises(PlanError, match="needs a default for ref"):

        @install.undo
        def uninstall(ctx: Any, ref: Any) -> None:
            """Wants a reference that may not be there."""


def test_an_undo_needs_what_the_plan_knows_before_its_step() -> None:
    @step(gives="rack")
    def mount(ctx: Any) -> dict[str, Any]:
        return {"rack": 1}

    @mount.undo
    def unmount(ctx: Any, shelf: int) -> None:
        """Wants something else."""

    with pytest.raises(PlanError, match="The undo of mount needs shelf"):
        mount().wire(())
    mount().wire({"shelf"})


def test_a_step_that_is_used_twice_has_two_keys() -> None:
    rows = (power_on() | power_cycle() | power_on()).rows()

    assert [row.key for row in rows] == ["power-on", "power-cycle", "power-on-2"]


def test_members_lie_between_their_group_and_the_next_step() -> None:
    rows = (power_on() | (power_cycle() & (power_on() | wipe(disk="sda"))) | power_on()).rows()

    assert [row.ordinal for row in rows] == sorted(row.ordinal for row in rows)
    assert rows[1].ordinal == 2 * SPACING < rows[4].ordinal < 3 * SPACING == rows[5].ordinal
    assert [row.branch for row in rows] == ["", "", "parallel/0", "parallel/1", "parallel/1", ""]


def test_a_third_branch_joins_the_first_two() -> None:
    rows = (power_on() & power_cycle() & power_on()).rows()

    assert [row.branch for row in rows] == ["", "parallel/0", "parallel/1", "parallel/2"]


def test_members_of_a_map_have_their_item_and_their_number() -> None:
    node = next(each("disks", "disk", wipe(), gives="wiped").maps())
    rows = map_rows(node, "each-disk", 2 * SPACING, ["sda", "sdb"])

    assert [(row.key, row.branch, row.values["disk"]) for row in rows] == [
        ("each-disk[0].wipe", "each-disk/0", "sda"),
        ("each-disk[1].wipe", "each-disk/1", "sdb"),
    ]


def test_a_map_has_a_limit() -> None:
    node = next(each("disks", "disk", wipe(), gives="wiped").maps())

    assert len(map_rows(node, "m", 0, [0] * MOST_ITEMS)) == MOST_ITEMS < SPACING
    with pytest.raises(PlanError, match="at most 10000"):
        map_rows(node, "m", 0, [0] * (MOST_ITEMS + 1))


@pytest.mark.parametrize("plan", [power_on(), power_on() | power_cycle(), Plan()])
def test_only_a_fan_out_can_be_joined(plan: Plan) -> None:
    with pytest.raises(PlanError, match="Only a fan-out"):
        plan.joined(ANY)


def test_neighbours_of_one_queue_share_a_link() -> None:
    found = segments((find_disk() | wipe() | power_on() | power_on()).rows())

    assert [(one.label, one.queue) for one in found] == [
        ("find-disk..wipe", "default"),
        ("power-on..power-on-2", "bmc"),
    ]
    assert found[0].limit_ms == 120_000


def test_what_parks_or_asks_for_it_has_a_link_of_its_own() -> None:
    found = segments((power_on() | install() | power_on() | power_cycle() | power_on()).rows())

    assert [one.label for one in found] == ["power-on", "install", "power-on-2", "power-cycle", "power-on-3"]


def test_a_link_of_an_operation_is_limited_by_a_poll_and_not_by_the_operation() -> None:
    assert segments(install().rows())[0].limit_ms == 60_000


def test_no_steps_are_no_links() -> None:
    assert segments([]) == []
