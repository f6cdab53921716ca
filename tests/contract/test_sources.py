"""How fresh the cache is: lists, probes and numbers tell, and whoever has a key learns why it is not."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.record import tables
from app.record.inventory.sources import STALE_MS
from app.services.context import AppContext
from tests.contract.managed import MANAGEMENT, plant_cluster, plant_management, plant_vm

GONE = "the API server is away"


@pytest.fixture(autouse=True)
def management(world: AppContext) -> None:
    plant_management(world, name="fra")


def plant_source(world: AppContext, kind: str, age_ms: int, **values: Any) -> None:
    """A source that was heard of so long ago."""
    row = {"management_id": MANAGEMENT, "kind": kind, "objects": 1, **values}
    world.db.write(
        lambda tx: tx.execute(
            insert(tables.source), {"tenant_id": tx.tenant, "seen_at": tx.now - age_ms, **row}
        )
    )


def part(client: FlaskClient) -> dict[str, Any]:
    """What the probe says of projectors."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()["data"]["parts"]["projector"]
    return found


def test_a_watch_that_is_alive_keeps_what_it_saw_long_ago_fresh(
    client: FlaskClient, world: AppContext
) -> None:
    plant_vm(world)
    plant_cluster(world)
    plant_source(world, "vm", 2_000)
    vm, cluster = (client.get(path).get_json()["data"][0] for path in ("/v1/vms", "/v1/clusters"))
    assert 2_000 <= vm["observedAgeMs"] < 60_000
    assert cluster["observedAgeMs"] > STALE_MS  # Nobody watches clusters here.


def test_what_was_never_seen_has_no_age(client: FlaskClient, world: AppContext) -> None:
    plant_vm(world, observed_at=None)
    plant_source(world, "vm", 0)
    assert client.get("/v1/vms").get_json()["data"][0]["observedAgeMs"] is None


def test_probes_say_how_many_are_stale_and_numbers_say_which(client: FlaskClient, world: AppContext) -> None:
    plant_source(world, "vm", 1_000)
    plant_source(world, "cluster", STALE_MS * 2, problem=GONE)
    assert {key: part(client)[key] for key in ("ok", "sources", "stale")} == {
        "ok": False,
        "sources": 2,
        "stale": 1,
    }
    assert "fra" not in str(part(client)) and GONE not in str(part(client))
    numbers = client.get("/metrics").get_data(as_text=True)
    assert 'windlass_source_failing{kind="cluster",management="fra"} 1.0' in numbers
    assert 'windlass_source_failing{kind="vm",management="fra"} 0.0' in numbers
    assert 'windlass_source_age_seconds{kind="vm",management="fra"}' in numbers


def test_a_management_cluster_that_nobody_watches_is_stale(client: FlaskClient) -> None:
    assert part(client)["reason"] == "2 of 2 sources are stale"


def test_a_management_cluster_says_why_it_cannot_be_watched(client: FlaskClient, world: AppContext) -> None:
    plant_source(world, "cluster", 5_000, problem=GONE)
    shown = client.get(f"/v1/management-clusters/{MANAGEMENT}").get_json()["data"]
    (source,) = shown["sources"]
    assert (source["kind"], source["problem"], source["objects"]) == ("cluster", GONE, 1)
    assert source["observedAgeMs"] >= 5_000
