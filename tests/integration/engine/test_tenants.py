"""Tenants share one pool of connections, and see nothing of each other."""

from app.engine.transitions import accept
from app.engine.transitions.accept import Order
from app.record.fast_path import ready
from app.record.paging import Window
from app.record.runs import runs
from app.record.runs.run_list import RunFilters, list_runs
from app.record.session import Database
from tests.support.driver import Driver


def listed(db: Database) -> list[str]:
    """The runs that a tenant sees."""
    return [row["id"] for row in db.read(lambda tx: list_runs(tx, RunFilters(), Window())).rows]


def test_runs_of_one_tenant_are_neither_read_nor_listed_nor_changed_by_another(db: Database) -> None:
    theirs = db.for_tenant(f"{db.tenant} of others")
    run_id = Driver(db).start("probe.line")

    assert theirs.engine is db.engine
    assert listed(db) == [run_id]
    assert listed(theirs) == []
    assert ready.reserve(theirs, "default", 1) == []
    assert theirs.read(lambda tx: runs.read_run(tx, run_id)) is None
    theirs.write(lambda tx: runs.change_run(tx, run_id, {"priority": 9}))
    assert Driver(db).run(run_id)["priority"] == 5


def test_the_same_id_is_a_run_of_its_own_for_each_tenant(db: Database) -> None:
    theirs = Driver(db.for_tenant(f"{db.tenant} of others"))
    mine = Driver(db)
    for driver in (mine, theirs):
        made = accept.at_once(driver.db, "run_same", Order(type="probe.line"), "usr_test")
        assert made is not None
        driver.publish(made.messages)

    assert mine.finish("run_same") == "completed"
    assert theirs.status("run_same") == "queued"
    assert theirs.finish("run_same") == "completed"


def test_what_is_remembered_for_one_tenant_is_asked_anew_for_another(db: Database) -> None:
    theirs = db.for_tenant(f"{db.tenant} of others")
    assert db.remembered("who", lambda tx: tx.tenant) == db.tenant
    assert theirs.remembered("who", lambda tx: tx.tenant) == theirs.tenant
