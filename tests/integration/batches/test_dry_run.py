"""A dry run over clouds shows what a submit would find there, and stores nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.auth.keys import Principal
from app.config import load
from app.lab.clouds import Clouds
from app.lab.clouds.faults import Faults
from app.providers.compute import Spec, connect
from app.record.session import Database
from app.services import accounts, batches
from app.services.batches import provider_state
from app.services.context import AppContext
from app.wiring import wire
from tests.integration.batches.rig import Rig, definition_of, failing, servers
from tests.integration.batches.test_cost import counted
from tests.integration.compute.rigs import aws_access, upcloud_access

ADMIN = Principal(name="admin", scopes=frozenset({"admin"}))
DEFAULTS = {"ssh_user": "root", "ssh_port": 22, "calls_at_once": 4, "calls_a_second": 50}


@pytest.fixture
def lab() -> Iterator[Clouds]:
    """Both doubled clouds."""
    with Clouds() as lab:
        yield lab


@pytest.fixture
def world(db: Database, lab: Clouds, tmp_path: Path) -> AppContext:
    """A world that knows an account at each of them."""
    made = wire(load({}, state_dir=str(tmp_path), redis_url="redis://127.0.0.1:1/0"))
    made.db.dispose()
    world = replace(made, db=db)
    for account in lab.accounts():
        accounts.create(world, ADMIN, {**DEFAULTS, **account})
    return world


def wanted(provider: str, plan: str, zone: str) -> dict[str, Any]:
    """An operation that wants one server, web-1."""
    config = {"name": "web-1", "plan": plan, "zone": zone}
    return servers("web") | {"provider": provider, "server_configs": [config]}


def planned(world: AppContext, operation: dict[str, Any]) -> tuple[str, str, list[str]]:
    """What the dry run shows of the server: action, reason, warnings."""
    planned = batches.plan(world, definition_of(operation))
    (item,) = planned["plan"]["operations"][0]["items"]
    return item["action"], item["reason"], planned["warnings"]


def made(lab: Clouds, provider: str, plan: str, zone: str) -> None:
    """An operator makes a server web-1 by hand."""
    access = {"upcloud": upcloud_access, "aws": aws_access}[provider](lab)
    connect(access).create(Spec(name="web-1", plan=plan, zone=zone, batch=""), "t" * 32)


def test_what_is_not_there_is_made(world: AppContext) -> None:
    action, reason, warnings = planned(world, wanted("upcloud", "1xCPU-2 GB", "de-fra1"))
    assert (action, reason, warnings) == ("create", "the account has no server of this name", [])


@pytest.mark.parametrize(("plan", "zone"), [("1xCPU-2 GB", "eu-central-1a"), ("t3.small", "eu-central-1")])
def test_what_is_the_same_in_other_words_is_kept(
    world: AppContext, lab: Clouds, plan: str, zone: str
) -> None:
    made(lab, "aws", "t3.small", "eu-central-1a")
    action, reason, _ = planned(world, wanted("aws", plan, zone))
    assert action == "keep", reason


def test_something_else_of_the_name_is_a_conflict(world: AppContext, lab: Clouds) -> None:
    made(lab, "aws", "t3.large", "eu-central-1a")
    action, reason, _ = planned(world, wanted("aws", "1xCPU-2 GB", "eu-central-1a"))
    assert action == "conflict" and "made by no batch" in reason


@pytest.mark.parametrize(
    ("plan", "zone"), [("9xCPU-9GB", "de-fra1"), ("1xCPU-2GB", "mars-1")], ids=["plan", "zone"]
)
def test_what_the_account_does_not_offer_is_a_conflict(world: AppContext, plan: str, zone: str) -> None:
    action, reason, _ = planned(world, wanted("upcloud", plan, zone))
    assert action == "conflict" and reason.startswith("the account offers no")


def test_a_cloud_that_does_not_answer_is_reported_and_the_inventory_is_used(
    world: AppContext, lab: Clouds
) -> None:
    lab.clouds["upcloud"].active_faults.current = Faults(html=True)
    action, reason, warnings = planned(world, wanted("upcloud", "1xCPU-2GB", "de-fra1"))
    assert (action, reason) == ("create", "the inventory has no server of this name")
    assert len(warnings) == 1 and warnings[0].startswith("upcloud: the account upcloud was not asked")


def test_a_request_does_not_wait_for_any_number_of_slow_accounts(
    world: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_state, "READ_S", -1)  # As when those before have taken all of it.
    action, _, warnings = planned(world, wanted("upcloud", "1xCPU-2GB", "de-fra1"))
    assert action == "create" and warnings[0].endswith("the others took too long")


def test_a_server_that_was_ordered_in_vain_is_made(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_state, "compute_at", lambda _ctx, *where: rig.world.compute(*where))
    rig.run(failing("web", on_failure="fail"))

    planned = batches.plan(rig.ctx, definition_of(servers("web")))
    batch = rig.run(servers("web"))

    (item,) = planned["plan"]["operations"][0]["items"]
    (really,) = batches.detail(rig.ctx, batch)["operations"][0]["items"]
    assert (item["action"], really["effect"]) == ("create", "created")


def test_the_holders_of_all_locks_are_read_together(rig: Rig) -> None:
    held = rig.submit(servers("held", "s7"))

    with counted(rig) as asked:
        planned = batches.plan(rig.ctx, definition_of(servers("web", *(f"s{n}" for n in range(60)))))

    assert len(asked) < 30
    locks = {one["resource"]: one["holder"] for one in planned["plan"]["locks"]}
    assert (locks["instance/local/s7"], locks["instance/local/s8"]) == (held, None)
    rig.finish(held)
