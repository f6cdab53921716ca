"""What is seen is kept: at once, level by level, of the very object that is meant, whatever goes wrong."""

from typing import Any

import pytest

from app.domain.ownership import object_name
from app.providers.kube import Kube
from app.providers.reflector import Pace
from app.record import clusters, vms
from tests.integration.projector.watched import Watched, api_path
from tests.servers import until


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


FAULTS: dict[str, dict[str, Any]] = {
    "cut": {"watch_cut": 0.2},
    "expired-answer": {"gone": "answer", "fail_times": 4},
    "expired-event": {"gone": "event", "fail_times": 4},
    "token-expired": {"expired": True, "fail_times": 3},
    "forbidden": {"forbidden": True, "fail_times": 3},
    "errors": {"errors": 0.5},
    "throttled": {"throttle": 0.5, "retry_after": 1},
    "dropped": {"drop": 0.5},
    "hanging": {"drop": 0.3, "hang": True},
    "late": {"watch_delay": 0.3},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_the_last_fault_the_cache_says_what_is_there(watched: Watched, fault: str) -> None:
    ids = watched.plant(6)
    with watched.watching():
        watched.suffers(**FAULTS[fault])
        for word in ("Starting", "Running", "Stopping", "Stopped", "Running"):
            for vm_id in ids[:4]:
                watched.show(vm_id, word)
            watched.control("cut")
        watched.erase(ids[4])
        watched.erase(ids[5], recreate=True)
        watched.suffers()
        watched.converges()
        until(lambda: watched.source()["problem"] is None, why="nothing is wrong any more")


def test_versions_that_are_forgotten_are_listed_anew(watched: Watched) -> None:
    ids = watched.plant(3)
    with watched.watching():
        watched.suffers(dead=True)
        watched.control("cut")
        for vm_id in ids:
            watched.show(vm_id, "Running")
        watched.erase(ids[0])
        watched.control("compact")
        watched.suffers()
        watched.converges()


def test_a_watch_that_says_nothing_more_is_healed_by_the_next_list(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching(pace=Pace(watch_s=1, silence_s=1.0, list_s=2.0)):
        watched.suffers(watch_mute=True)
        watched.show(vm_id, "Running")
        watched.converges()


def test_a_server_that_wants_to_be_left_alone_is_left_alone(watched: Watched) -> None:
    watched.plant()
    watched.suffers(throttle=1.0, retry_after=1, resources=("virtualmachines",), fail_times=2)
    since = watched.db.read(lambda tx: tx.now)
    with watched.watching():
        assert watched.source()["listed_at"] - since >= 2 * 1_000


def test_people_are_told_why_and_another_way_in_is_used_at_once(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching():
        watched.suffers(expired=True)
        watched.control("cut")
        until(lambda: "Unauthorized" in (watched.source()["problem"] or ""), why="the reason is known")
        reached = watched.reached
        watched.suffers()
        watched.db.write(
            lambda tx: clusters.change_management(tx, watched.management_id, {"description": "new"})
        )
        until(lambda: watched.reached > reached, why="the way in is opened anew")
        watched.show(vm_id, "Running")
        watched.converges()


def test_a_management_cluster_that_is_forgotten_is_watched_no_longer(watched: Watched) -> None:
    with watched.watching():
        watched.db.write(lambda tx: clusters.delete_management(tx, watched.management_id))
        until(lambda: not watched.listed(), why="its sources are gone")


def test_one_unreadable_object_does_not_hide_the_others(watched: Watched, monkeypatch: Any) -> None:
    fine, odd = watched.plant(2)
    kept = Kube.call

    def call(self: Kube, method: str, path: str, *args: Any, **kw: Any) -> Any:
        answer = kept(self, method, path, *args, **kw)
        for one in answer.get("items") or ():
            if one["metadata"]["name"] == object_name(odd):
                one["status"] = "no mapping"
        return answer

    monkeypatch.setattr(Kube, "call", call)
    with watched.watching():
        until(lambda: watched.row(fine)["uid"], why="the other one is seen")
    assert watched.row(odd)["uid"] is None


def test_an_older_look_never_replaces_a_newer_one(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching():
        watched.converges()
    newest = watched.row(vm_id)
    older = {"uid": newest["uid"], "version": "1", "facts": {"status": "Running"}}
    watched.db.write(lambda tx: vms.note_seen(tx, vm_id, **older))
    assert watched.row(vm_id)["observed"] == newest["observed"]
