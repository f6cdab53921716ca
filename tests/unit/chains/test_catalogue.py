"""The catalogue: what is in it, what its plans are, and what it refuses."""

from collections.abc import Mapping
from typing import Any

import pytest
from marshmallow import Schema, fields

from app.domain.errors import PlanError, ValidationFailed
from app.domain.plan import Plan
from chains import catalogue
from chains.catalogue import workflow
from tasks import server

IMAGE = {"url": "https://images.example/debian.qcow2"}


def keys(name: str, **given: Any) -> list[str]:
    """The steps of a type's plan for this input."""
    return [row.key for row in catalogue.lookup(name).plan({"server_id": "srv", **given}).rows()]


def test_every_server_type_is_in_the_catalogue() -> None:
    found = {name for name in catalogue.types() if name.startswith("server.")}

    assert found == {
        "server.register",
        "server.inspect",
        "server.provision",
        "server.lifecycle",
        "server.decommission",
    }


def test_a_type_s_path_is_its_name() -> None:
    for name, kind in catalogue.types().items():
        if name.startswith("server."):
            assert kind.compose.__module__ == f"chains.{name.replace('-', '_')}"


def test_provisioning_orders_the_image_before_the_machine_boots() -> None:
    steps = keys("server.provision", image=IMAGE)

    assert steps.index("order-image") < steps.index("power-2") < steps.index("install")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"action": "powerOn"}, ["validate", "switch-power", "settle"]),
        ({"action": "reboot", "mode": "hard"}, ["validate", "hard-reset", "settle"]),
        ({"action": "reboot"}, ["validate", "switch-power", "switch-power-2", "settle"]),
        ({"action": "maintenance", "enabled": True}, ["validate", "set-maintenance", "settle"]),
        (
            {"action": "deprovision"},
            [
                *("validate", "boot-from", "switch-power", "order-wipe", "switch-power-2", "wipe"),
                *("switch-power-3", "boot-from-2", "free", "settle"),
            ],
        ),
    ],
)
def test_each_lifecycle_action_has_a_plan_of_its_own(given: dict[str, Any], expected: list[str]) -> None:
    assert keys("server.lifecycle", **given) == expected


def test_an_unknown_type_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValidationFailed, match=r"server\.explode.*server\.register"):
        catalogue.lookup("server.explode")


def test_a_wrong_input_names_the_field() -> None:
    with pytest.raises(ValidationFailed) as refused:
        catalogue.lookup("server.provision").check({"image": {"url": "ftp://x"}, "colour": "red"})

    assert set(refused.value.details["fields"]) == {"input.image", "input.colour"}


def test_a_plan_whose_step_needs_an_unknown_name_fails_when_it_is_declared() -> None:
    class Nothing(Schema):
        """No input at all."""

    def compose(_given: Mapping[str, Any]) -> Plan:
        return server.boot_from()

    with pytest.raises(PlanError, match="boot-from needs server_id, device"):
        workflow("test.unwired", expects=Nothing, example={})(compose)


def test_an_input_is_filled_with_the_schema_s_defaults() -> None:
    assert catalogue.lookup("server.decommission").check({}) == {"force": False}


def test_names_of_the_schema_are_known_to_the_plan() -> None:
    class Wanted(Schema):
        """A device."""

        device = fields.Str(required=True)

    @workflow("test.wired", resource="server", expects=Wanted, example={"server_id": "srv", "device": "disk"})
    def wired(_given: Mapping[str, Any]) -> Plan:
        return server.boot_from()

    assert [row.key for row in wired.plan({"server_id": "srv", "device": "disk"}).rows()] == ["boot-from"]


def test_a_type_that_names_no_scope_is_for_administrators_alone() -> None:
    @workflow("test.scopeless")
    def scopeless(_given: Mapping[str, Any]) -> Plan:
        return server.boot_from()

    assert scopeless.scope == "admin"
