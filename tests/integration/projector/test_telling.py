"""Runs tell what changed: once, together with what else changed meanwhile, and only when something did."""

from collections import Counter
from typing import Any

from sqlalchemy import update

from app.domain.observed import tallied
from app.projector import tell
from app.record.inventory import sources
from app.record.tables import source
from tests.integration.projector.watched import Row, Watched
from tests.support.servers import until


def let_time_pass(watched: Watched) -> None:
    """The last run was told long ago."""
    values = {"told_at": source.c.told_at - tell.COALESCE_MS}
    watched.db.write(
        lambda tx: tx.execute(update(source).where(source.c.tenant_id == tx.tenant).values(**values))
    )


def counts(runs: list[Row]) -> Counter[str]:
    """What the runs tell, together."""
    return sum((Counter(row["input"]["counts"]) for row in runs), Counter())


def test_many_changes_are_few_runs_and_none_is_left_out(watched: Watched) -> None:
    ids = watched.plant(20)
    with watched.watching():
        until(watched.told, why="what appeared is told")
        for word in ("Starting", "Running", "Stopping", "Stopped", "Paused"):
            for vm_id in ids:
                watched.show(vm_id, word)
        watched.converges()
        assert len(watched.told()) == 1
        let_time_pass(watched)
        until(lambda: len(watched.told()) == 2, why="the rest is told together")
    second = watched.told()[1]
    assert set(second["input"]["objects"]) == set(ids)
    assert counts(watched.told())["appeared"] == 20
    assert (second["type"], second["resource_id"]) == ("sync.cluster-state", watched.management_id)
    assert (second["triggered_by"], second["input"]["kind"]) == ("usr_projector", "vm")


def test_heartbeats_that_say_nothing_new_are_not_told(watched: Watched) -> None:
    ids = watched.plant(2)
    with watched.watching():
        until(watched.told, why="what appeared is told")
        let_time_pass(watched)
        seen_at = watched.source()["seen_at"]
        watched.control("churn", rate=50, seconds=1)
        until(lambda: watched.source()["seen_at"] > seen_at + 1_000, why="it was heard")
        watched.converges()
    assert len(watched.told()) == 1
    assert watched.object(ids[0])["metadata"]["resourceVersion"] != watched.row(ids[0])["resource_version"]


def test_what_waits_is_told_by_whoever_holds_the_source_then(watched: Watched) -> None:
    watched.plant(2)
    with watched.watching():
        watched.converges()
        until(watched.told, why="the first is told")
    key = (watched.management_id, "vm")
    watched.db.write(lambda tx: sources.note_changes(tx, watched.source(), [("vm_x", "gone")]))
    let_time_pass(watched)
    with watched.watching("driver:2/projector"):
        until(lambda: len(watched.told()) == 2, why="the successor tells it")
    assert (watched.told()[1]["input"]["objects"], watched.source()["tally"]) == ({"vm_x": "gone"}, None)
    assert (watched.source()["management_id"], watched.source()["kind"]) == key


def test_more_changes_than_can_be_named_are_all_looked_at(watched: Watched) -> None:
    many = [(f"vm_{number}", "changed") for number in range(1_000)]
    tally = {"tally": tallied(None, many, 0), "management_id": "mgt", "kind": "vm", "told_at": None}
    told = tell._order(tally, 0).input
    assert (told["counts"], "objects" in told) == ({"changed": 1_000}, False)


def test_a_run_finds_the_cache_as_it_should_be(watched: Watched) -> None:
    ids = watched.plant(3)
    with watched.watching():
        until(watched.told, why="what appeared is told")
    run_id = watched.told()[0]["id"]
    assert watched.driver.finish(run_id) == "completed"
    steps = watched.driver.steps(run_id)
    assert (steps["diff"]["output"], steps["upsert"]["output"]) == (
        {"listed": len(ids), "differing": []},
        {"upserted": {}},
    )


def test_a_run_by_hand_needs_no_projector(watched: Watched) -> None:
    ids = watched.plant(3)
    assert ran(watched) == {"appeared": 3}
    watched.show(ids[0], "Running")
    watched.erase(ids[1])
    watched.erase(ids[2], recreate=True)
    assert ran(watched) == {"changed": 1, "gone": 1, "replaced": 1}
    assert watched.agrees()
    assert ran(watched) == {}


def ran(watched: Watched, **given: Any) -> dict[str, int]:
    """What a run over all machines has kept."""
    run_id = watched.driver.start(
        "sync.cluster-state", {"kind": "vm", **given}, resource_id=watched.management_id
    )
    assert watched.driver.finish(run_id) == "completed"
    found: dict[str, int] = watched.driver.step(run_id, "upsert")["output"]["upserted"]
    return found


def test_a_run_that_names_objects_looks_at_those_alone(watched: Watched) -> None:
    first, second = watched.plant(2)
    assert ran(watched, objects={first: "changed"}) == {"appeared": 1}
    assert watched.row(second)["uid"] is None
    watched.erase(first)
    assert ran(watched, objects={first: "gone", second: "changed"}) == {"gone": 1, "appeared": 1}


def test_a_run_that_failed_is_retried_from_its_step(watched: Watched) -> None:
    watched.plant(2)
    watched.suffers(errors=1.0)
    run_id = watched.driver.start("sync.cluster-state", {"kind": "vm"}, resource_id=watched.management_id)
    assert watched.driver.finish(run_id) == "failed"
    watched.suffers()
    again = watched.driver.retry(run_id, from_step="diff")
    assert watched.driver.finish(again) == "completed"
    assert watched.agrees()


def test_a_run_is_cancelled_like_any_other(watched: Watched) -> None:
    run_id = watched.driver.start("sync.cluster-state", {"kind": "vm"}, resource_id=watched.management_id)
    watched.driver.cancel(run_id)
    assert watched.driver.finish(run_id) == "cancelled"
