"""An account as steps use it: one gate for all workers, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from app.auth.keys import Principal
from app.auth.seal import opener
from app.config import load
from app.domain.errors import CloudThrottled, CloudUnreachable, Permanent
from app.domain.gate import Limits
from app.lab.clouds import Clouds
from app.lab.clouds.faults import Faults
from app.providers.compute import Spec
from app.record.inventory import account_gates
from app.record.session import Database
from app.services import accounts
from app.services.context import AppContext
from app.wiring import wire
from tasks.clouds import GatedCompute, compute_of
from tests.integration.engine.conftest import database_of, db, tenant

__all__ = ["database_of", "db", "tenant"]
ADMIN = Principal(name="admin", scopes=frozenset({"admin"}))
SPEC = Spec(name="web-1", plan="1xCPU-2 GB", zone="fi-hel1", batch="b1")
DEFAULTS = {"ssh_user": "root", "ssh_port": 22, "calls_at_once": 2, "calls_a_second": 20}
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def lab() -> Iterator[Clouds]:
    """Both doubled clouds."""
    with Clouds() as lab:
        yield lab


@pytest.fixture
def world(db: Database, tmp_path: Path) -> AppContext:
    """A world on the test's database."""
    made = wire(load({}, state_dir=str(tmp_path), redis_url="redis://127.0.0.1:1/0"))
    made.db.dispose()
    return replace(made, db=db)


def known(world: AppContext, lab: Clouds, name: str = "upcloud", **changes: int) -> GatedCompute:
    """One of the lab's accounts, as a worker uses it."""
    account = next(one for one in lab.accounts() if one["name"] == name)
    accounts.create(world, ADMIN, {**DEFAULTS, **account, **changes})
    return compute_of(world.db, opener(world.settings), name, name)


def test_the_key_of_the_account_opens_new_servers(world: AppContext, lab: Clouds) -> None:
    compute = known(world, lab)
    made = compute.create(SPEC, TOKEN)
    assert [one.id for one in compute.find(token=TOKEN)] == [made.id]
    row = world.db.read(lambda tx: accounts.known(tx, "upcloud"))
    assert lab.clouds["upcloud"].living()[0].keys == [row["public_key"]]
    assert row["public_key"] in lab.clouds["upcloud"].living()[0].user_data


def test_machines_come_back_in_the_words_of_the_account(world: AppContext, lab: Clouds) -> None:
    compute = known(world, lab, "aws")
    made = compute.create(replace(SPEC, zone="eu-central-1a"), TOKEN)
    assert (made.plan, lab.clouds["aws"].living()[0].plan) == ("1xCPU-2GB", "t3.small")


def test_no_more_calls_at_once_than_the_account_allows(world: AppContext, lab: Clouds) -> None:
    compute = known(world, lab)
    row = world.db.read(lambda tx: accounts.known(tx, "upcloud"))
    limits = Limits(at_once=2, a_second=20)
    for holder in ("a", "b"):
        enter = partial(
            account_gates.enter, account_id=row["id"], holder=holder, limits=limits, hold_ms=60_000
        )
        assert world.db.write(enter) == 0
    with pytest.raises(CloudThrottled) as held:
        compute.zones()
    assert held.value.nothing_happened and held.value.retry_after_ms > 0
    world.db.write(lambda tx: account_gates.leave(tx, row["id"], "a"))
    assert compute.zones()


def test_a_call_gives_back_its_slot_however_it_ends(world: AppContext, lab: Clouds) -> None:
    compute = known(world, lab, calls_at_once=1)
    lab.clouds["upcloud"].active_faults.current = Faults(dead=True, fail_times=1)
    with pytest.raises(CloudUnreachable):
        compute.zones()
    assert compute.zones()


def test_after_one_complaint_no_worker_asks_the_cloud(world: AppContext, lab: Clouds) -> None:
    compute = known(world, lab)
    lab.clouds["upcloud"].active_faults.current = Faults(throttle=1.0, retry_after=30, fail_times=1)
    with pytest.raises(CloudThrottled):
        compute.zones()
    other = compute_of(world.db, opener(world.settings), "upcloud", "upcloud")
    with pytest.raises(CloudThrottled) as held:
        other.zones()
    assert held.value.details["reason"] == "gate" and held.value.retry_after_ms > 20_000


def test_an_account_that_was_forgotten_fails_for_good(world: AppContext, lab: Clouds) -> None:
    known(world, lab)
    accounts.delete(world, ADMIN, "upcloud")
    with pytest.raises(Permanent):
        compute_of(world.db, opener(world.settings), "upcloud", "upcloud")
