"""Whatever goes wrong with an API server: after the last fault the cache says what is there."""

from typing import Any

import pytest

from app.providers.reflector import Pace
from app.record.inventory import managements
from tests.integration.projector.watched import Watched
from tests.support.servers import until

# What goes wrong lies between us and the API server; one database is enough.
pytestmark = [pytest.mark.sqlite, pytest.mark.parametrize("db", ["sqlite"], indirect=True)]

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
            lambda tx: managements.change_management(tx, watched.management_id, {"description": "new"})
        )
        until(lambda: watched.reached > reached, why="the way in is opened anew")
        watched.show(vm_id, "Running")
        watched.converges()
