"""Messages are lost, workers die, time passes: a batch ends as if nothing had happened."""

from app.record.batches import batches as rows
from app.record.batches import retention
from app.record.runs import runs
from app.services import batches
from tests.integration.batches.rig import Rig, failing, servers


def test_a_batch_whose_every_message_is_lost_once_ends_all_the_same(rig: Rig) -> None:
    batch = rig.submit(servers("web", "a", "b"), servers("db", needs=["web"]))

    for _ in range(40):
        rig.driver.waiting.clear()
        rig.driver.reconcile(rig.open_runs())
        if rig.driver.deliver() is None:
            break

    assert rig.finish(batch) == "completed"
    assert len(rig.inventory()) == len(rig.servers()) == 3


def test_a_message_that_comes_twice_makes_no_second_server(rig: Rig) -> None:
    batch = rig.submit(servers("web"), failing("bad", needs=["web"]))

    doubled = set()
    while rig.driver.waiting:
        first, _place = again = rig.driver.waiting[0]
        if (first.run_id, first.gen, first.segments[0].first) not in doubled:
            doubled.add((first.run_id, first.gen, first.segments[0].first))
            rig.driver.waiting.append(again)
        rig.driver.deliver()

    assert rig.finish(batch) == "failed"
    assert rig.servers() == set()
    assert [row["state"] for row in rig.inventory()] == ["gone", "gone"]


def test_a_batch_is_forgotten_with_its_operations_and_stays_counted(rig: Rig) -> None:
    batch = rig.run(servers("web"))
    child = str(rig.driver.step(batch, "web")["ref"])
    old = rig.db.read(lambda tx: runs.ended_before(tx, tx.now + 1, 10))
    assert old == [batch]

    rig.db.write(lambda tx: retention.forget(tx, batch))

    assert rig.db.read(lambda tx: runs.read_run(tx, child)) is None
    assert rig.db.read(lambda tx: rows.read_batch(tx, batch)) is None
    counted = batches.stats(rig.ctx)
    assert counted["by_status"] == {"Completed": 1}
    assert counted["by_provider"] == {"local": {"completed": 1}}
