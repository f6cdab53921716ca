"""Names of the engine as JSON spells them; values of others as they are."""

import pytest

from app.services import spelling

AT = "1970-01-01T00:00:01.000Z"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"server_id": "srv_1", "bmc_address": "h:1"}, {"serverId": "srv_1", "bmcAddress": "h:1"}),
        ({"nodePools": [], "was": None}, {"nodePools": [], "was": None}),
        ({"wiped_at": 1000, "reset_at": None}, {"wipedAt": AT, "resetAt": None}),
        ({"installed_image": {"check_sum": 1}}, {"installedImage": {"check_sum": 1}}),
        ({"results": [{"resource_id": "i"}, None]}, {"results": [{"resourceId": "i"}, None]}),
        (
            {"hardware": {"identity": {"device_id": "32"}, "sensors": [{"CPU_1": 2}]}},
            {"hardware": {"identity": {"deviceId": "32"}, "sensors": [{"CPU_1": 2}]}},
        ),
        ({"value": {"device_id": 1, "at": 2}}, {"value": {"device_id": 1, "at": 2}}),
        (None, None),
    ],
)
def test_values_have_our_names_in_camel_case_and_keep_what_stands_below(given: object, shown: object) -> None:
    assert spelling.values(given) == shown


def test_moments_of_an_event_are_texts() -> None:
    assert spelling.payload("step.retrying", {"dueAt": 1000, "fence": 2}) == {"dueAt": AT, "fence": 2}


def test_the_payload_of_a_user_s_event_is_left_alone() -> None:
    told = {"eventType": "x", "payload": {"until": 5}, "until": 1000}

    assert spelling.payload("user.event", told) == told


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [("server.boot_from", "boot-from-2", "boot-from"), ("map", "each-item", "each-item")],
)
def test_a_planned_step_has_the_name_that_its_plan_shows(name: str, key: str, shown: str) -> None:
    step = {
        "key": key,
        "name": name,
        "undoable": True,
        "reused_from": "run_1",
        "output": {"power_state": "on"},
    }

    (said,) = spelling.payload("run.created", {"steps": [step]})["steps"]

    facts = {"key": key, "name": shown, "undo": True, "reusedFrom": "run_1", "output": {"powerState": "on"}}
    assert said == facts
