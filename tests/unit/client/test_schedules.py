"""`client.schedules` says what the service wants to hear, and reads what it answers."""

from datetime import UTC, datetime

from tests.unit.client.standin import Standin, ok, page
from windlass import Client

PATH = "/v1/schedules"
DUE = "2026-01-14T01:30:00.000Z"
SCHEDULE = {
    "id": "sch_1",
    "name": "nightly",
    "nextDueTimes": [DUE],
    "last": {"dueAt": DUE, "outcome": "refused", "reason": "CONFLICT: server.inspect is paused"},
    "missed": 2,
}


def test_a_schedule_is_read_whole(service: Standin, client: Client) -> None:
    service.answers("GET", f"{PATH}/sch_1", ok(SCHEDULE))

    read = client.schedules.get("sch_1")

    assert read.next_due_times == (datetime(2026, 1, 14, 1, 30, tzinfo=UTC),)
    assert read.last is not None and read.last.outcome == "refused"
    assert (read.name, read.missed) == ("nightly", 2)


def test_a_code_workflow_is_scheduled_with_its_arguments(service: Standin, client: Client) -> None:
    service.answers("POST", PATH, ok(SCHEDULE, 201))

    client.schedules.create("weekly", "report", ["weekly"], cron="@weekly", catch_up="none")

    assert service.asked[0].body == {
        "name": "weekly",
        "type": "report",
        "input": ["weekly"],
        "cron": "@weekly",
        "catchUp": "none",
    }


def test_running_now_answers_the_run(service: Standin, client: Client) -> None:
    service.answers("POST", f"{PATH}/sch_1/run", ok({"id": "run_1", "status": "pending"}, 202))

    assert client.schedules.run("sch_1").id == "run_1"


def test_due_times_are_walked_page_by_page(service: Standin, client: Client) -> None:
    first, last = page({"id": "occ_2", "times": 9}, after="abc.def"), page({"id": "occ_1"})
    service.answers("GET", f"{PATH}/sch_1/occurrences", first, last)

    told = list(client.schedules.occurrences("sch_1", outcome="missed"))

    assert [(one.id, one.times) for one in told] == [("occ_2", 9), ("occ_1", 1)]
    assert {asked.query["outcome"] for asked in service.asked} == {"missed"}
