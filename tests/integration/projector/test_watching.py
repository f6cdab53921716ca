"""What is seen is kept: at once, level by level, of the very object that is meant, whatever goes wrong."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import update

from app.domain.errors import Unavailable
from app.domain.ownership import object_name
from app.providers.kube import Kube
from app.record.inventory import managements, sources
from app.record.inventory.managed import vms
from app.record.session import Database
from app.record.tables import vm
from app.wiring import LIMITS
from tests.integration.projector.watched import Watched, api_path
from tests.support.servers import until


def test_what_was_there_before_and_what_happens_then_are_seen(watched: Watched) -> None:
    before = watched.plant(3)
    watched.show(before[0], "Running")
    with watched.watching():
        assert watched.shown(before[0]) == "Running"
        after = watched.plant()
        watched.show(after[0], "Starting")
        until(lambda: watched.shown(after[0]) == "Starting", why="the event is in the cache")
        watched.converges()
    assert watched.row(before[0])["state"] == "running"


def test_a_machine_that_a_run_works_on_keeps_its_state(watched: Watched) -> None:
    stopping = watched.plant(state="stopping")[0]
    watched.show(stopping, "Running")
    with watched.watching():
        assert (watched.shown(stopping), watched.row(stopping)["state"]) == ("Running", "stopping")
    watched.db.write(lambda tx: tx.execute(update(vm).values(state="stopped")))  # As its run leaves it.


@pytest.mark.parametrize("watching", [True, False], ids=["told", "missed"])
def test_an_object_that_was_deleted_behind_our_back_is_noted(watched: Watched, watching: bool) -> None:
    gone, other = watched.plant(2)
    with watched.watching():
        watched.converges()
        if watching:
            watched.erase(gone)
            until(lambda: watched.row(gone)["uid"] is None, why="it is noted")
    if not watching:
        watched.erase(gone)
        listed_at = watched.source()["listed_at"]
        with watched.watching():
            until(lambda: watched.source()["listed_at"] > listed_at, why="everything is listed anew")
    row = watched.row(gone)
    assert (row["uid"], row["observed"], row["state"]) == (None, None, "error")
    assert "was deleted in the management cluster" in row["failure_reasons"][0]
    assert watched.row(other)["state"] == "stopped"


def test_another_object_of_the_same_name_is_another_object(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching():
        watched.converges()
        first = watched.row(vm_id)["uid"]
        watched.erase(vm_id, recreate=True)
        watched.converges()
    row = watched.row(vm_id)
    assert row["uid"] not in (None, first)
    assert (row["state"], len(row["failure_reasons"])) == ("error", 1)


def test_what_others_made_is_never_taken_for_ours(watched: Watched) -> None:
    stranger = watched.plant(recorded=False)[0]
    vm_id = watched.plant()[0]
    _, kube = watched.reach(watched.management_id)
    content = watched.object(vm_id)
    copied = {key: content[key] for key in ("apiVersion", "kind", "spec")}
    copied["metadata"] = {"name": "copy", "labels": content["metadata"]["labels"]}
    kube.call("POST", api_path(vm_id).rpartition("/")[0], copied)
    with watched.watching():
        watched.converges()
    assert watched.row(stranger) == {}
    assert watched.row(vm_id)["uid"] == content["metadata"]["uid"]


def test_a_management_cluster_that_is_forgotten_is_watched_no_longer(watched: Watched) -> None:
    with watched.watching():
        watched.db.write(lambda tx: managements.delete_management(tx, watched.management_id))
        until(lambda: not watched.listed(), why="its sources are gone")


def test_one_unreadable_object_is_left_as_it_was_and_hides_no_other(
    watched: Watched, monkeypatch: Any
) -> None:
    fine, odd = watched.plant(2)
    with watched.watching():
        watched.converges()
    watched.show(fine, "Running")
    kept, before = Kube.call, watched.row(odd)

    def call(self: Kube, method: str, path: str, *args: Any, **kw: Any) -> Any:
        answer = kept(self, method, path, *args, **kw)
        for one in answer.get("items") or ():
            if one["metadata"]["name"] == object_name(odd):
                one["status"] = "no mapping"
        return answer

    monkeypatch.setattr(Kube, "call", call)
    with watched.watching():
        until(lambda: watched.shown(fine) == "Running", why="the other one is seen")
    assert watched.row(odd) == before


def test_a_database_that_is_away_for_a_while_costs_nothing(watched: Watched, monkeypatch: Any) -> None:
    vm_id = watched.plant()[0]
    kept, refused = sources.locked, iter(range(3))

    def locked(*args: Any) -> Any:
        if next(refused, None) is not None:
            raise Unavailable("the database does not answer")
        return kept(*args)

    with watched.watching():
        monkeypatch.setattr(sources, "locked", locked)
        watched.show(vm_id, "Running")
        watched.converges()
    assert next(refused, None) is None


def test_an_older_look_never_replaces_a_newer_one(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching():
        watched.converges()
    newest = watched.row(vm_id)
    older = {"uid": newest["uid"], "version": "1", "facts": {"status": "Running"}}
    watched.db.write(lambda tx: vms.note_seen(tx, vm_id, **older))
    assert watched.row(vm_id)["observed"] == newest["observed"]


@pytest.mark.parametrize("watching", [True, False], ids=["told", "missed"])
def test_an_object_that_lost_its_label_is_not_gone(watched: Watched, watching: bool) -> None:
    vm_id = watched.plant()[0]
    with watched.watching():
        watched.converges()
        before = watched.row(vm_id)
        if watching:
            watched.label(vm_id, None)
            until(lambda: watched.row(vm_id)["failure_reasons"], why="the loss is noted")
    if not watching:
        watched.label(vm_id, None)
    with watched.watching():
        until(lambda: watched.row(vm_id)["failure_reasons"], why="the loss is noted")
        row = watched.row(vm_id)
        assert (row["uid"], row["state"]) == (before["uid"], "stopped")
        assert f"windlass.dev/resource={vm_id}" in row["failure_reasons"][0]
        watched.label(vm_id, vm_id)
        until(lambda: not watched.row(vm_id)["failure_reasons"], why="the label is back")


@pytest.mark.postgres
@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_a_machine_whose_row_somebody_holds_does_not_keep_the_others(watched: Watched) -> None:
    stuck, free = watched.plant(2)
    url = watched.db.url
    watched.db = limited = Database(str(url), watched.db.tenant, limits=LIMITS["projector"])
    with watched.watching():
        watched.converges()
        with psycopg.connect(str(url.set(drivername="postgresql"))) as stranger:
            stranger.execute("SELECT id FROM vm WHERE id = %s FOR UPDATE", [stuck])
            for vm_id in (stuck, free):
                watched.show(vm_id, "Running")
            until(lambda: watched.shown(free) == "Running", why="the free one is written")
            assert watched.shown(stuck) != "Running"
        watched.converges()
    limited.dispose()
