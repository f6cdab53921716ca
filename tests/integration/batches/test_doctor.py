"""The doctor of batches finds what must never be, when it was made so."""

from typing import Any

from sqlalchemy import update

from app.record.batches import doctor
from app.record.tables import batch, instance, step
from tests.integration.batches.rig import Rig, servers
from tests.support.managed import Scene
from tests.unit.domain.batch.cases import POOLED


def found(rig: Rig) -> list[tuple[str, str]]:
    """The invariants that do not hold, with their batches."""
    rig.judged = False
    return [(one["invariant"], one["run"]) for one in rig.db.read(doctor.findings)]


def spoil(rig: Rig, table: Any, id_: str, **changes: Any) -> None:
    """Change rows of a batch behind everybody's back."""
    owner = table.c.lineage if table is instance else table.c.run_id
    mine = (table.c.tenant_id == rig.db.tenant, owner == id_)
    rig.db.write(lambda tx: tx.execute(update(table).where(*mine).values(**changes)))


def test_more_operations_at_work_than_may_be(rig: Rig) -> None:
    made = rig.submit(servers("a"), servers("b"), parallel_limit=2)
    assert found(rig) == []
    spoil(rig, batch, made, parallel_limit=1)
    assert found(rig) == [("I22", made)]


def test_an_operation_that_began_too_early(rig: Rig) -> None:
    made = rig.submit(servers("a"), servers("b", needs=["a"]))
    assert found(rig) == []
    spoil(rig, step, made, attempt=1)
    assert found(rig) == [("I23", made)]


def test_a_server_that_a_rollback_forgot(rig: Rig) -> None:
    made = rig.run(servers("a"))
    rig.roll_back(made)
    assert found(rig) == []
    spoil(rig, instance, made, state="running")
    assert found(rig) == [("I24", made)]


def test_a_machine_of_a_pool_that_is_kept_for_nothing(rig: Rig) -> None:
    scene = rig.world.metal = Scene(rig.db, rig.driver)
    scene.plant_pool(1, "rack-7")
    made = rig.run(servers("db", "db-01") | {"server_configs": [POOLED["server_configs"][0]]}, name="metal")
    assert found(rig) == []
    spoil(rig, instance, made, state="gone")
    assert [invariant for invariant, _run in found(rig)] == ["I25"]
