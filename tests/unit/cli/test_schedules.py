"""Commands about schedules ask the service for the right thing."""

import pytest

from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Standin, ok, page

PATH = "/v1/schedules"
SCHEDULE = {"id": "sch_1", "name": "nightly", "type": "server.inspect", "triggeredBy": "schedule/sch_1"}
CREATE = ["schedule", "create", "nightly", "server.inspect"]


def test_one_is_made_by_cron_in_a_time_zone(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", PATH, ok(SCHEDULE, 201))

    windlass(*CREATE, "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--resource", "srv_1")

    assert service.asked[0].body == {
        "name": "nightly",
        "type": "server.inspect",
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "resourceId": "srv_1",
    }


def test_one_is_made_by_interval_with_policies(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", PATH, ok(SCHEDULE, 201))
    policies = ["--overlap", "queue", "--catch-up", "all", "--catch-up-limit", "3", "--tag", "a", "--paused"]

    windlass(*CREATE, "--every", "1h30m", "-i", '["weekly", 3]', *policies)

    assert service.asked[0].body == {
        "name": "nightly",
        "type": "server.inspect",
        "everyMs": 5_400_000,
        "input": ["weekly", 3],
        "overlap": "queue",
        "catchUp": "all",
        "catchUpLimit": 3,
        "tags": ["a"],
        "paused": True,
    }


@pytest.mark.parametrize(
    "words", [["--every", "soon"], ["-i", "3"], ["--overlap", "perhaps"], ["--catch-up-limit", "0"]]
)
def test_what_cannot_be_meant_is_refused_here(windlass: Windlass, words: list[str]) -> None:
    assert windlass(*CREATE, *words).exit_code == 2


def test_a_change_says_what_changes_alone(service: Standin, windlass: Windlass) -> None:
    service.answers("PATCH", f"{PATH}/sch_1", ok(SCHEDULE))

    windlass("schedule", "change", "sch_1", "--every", "10m")

    assert service.asked[0].body == {"everyMs": 600_000}


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["pause", "sch_1", "--reason", "rain"], "pause", {"reason": "rain"}),
        (["unpause", "sch_1"], "unpause", {}),
        (["run", "sch_1"], "run", {}),
    ],
)
def test_each_action_has_a_path_of_its_own(
    service: Standin, windlass: Windlass, words: list[str], path: str, body: dict[str, str]
) -> None:
    service.answers("POST", f"{PATH}/sch_1/{path}", ok({**SCHEDULE, "id": "x"}))

    assert windlass("schedule", *words).exit_code == 0

    assert service.asked[0].body == body


def test_history_shows_as_much_as_was_asked_for(service: Standin, windlass: Windlass) -> None:
    told = [{"id": f"occ_{n}", "outcome": "missed", "reason": f"because of {n}"} for n in range(3)]
    service.answers("GET", f"{PATH}/sch_1/occurrences", page(*told))

    shown = windlass("schedule", "history", "sch_1", "--outcome", "missed", "--limit", "2").output

    assert service.asked[0].query["outcome"] == "missed"
    assert ("because of 1" in shown, "because of 2" in shown) == (True, False)


def test_one_is_deleted_once_somebody_has_said_yes(service: Standin, windlass: Windlass) -> None:
    service.answers("DELETE", f"{PATH}/sch_1", ok({}))

    assert windlass("schedule", "delete", "sch_1").exit_code == 2
    assert windlass("schedule", "delete", "sch_1", "--yes").exit_code == 0
