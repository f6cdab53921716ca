"""Large batches: no transaction stands idle for so long that the server ends it."""

from typing import Any

import pytest
from sqlalchemy import event

from app.domain.batch.definition import parse
from app.record.batches import listing
from app.services import batches
from app.services.batches import operation_states, read
from tests.integration.batches.rig import Rig, failing, servers
from tests.integration.batches.test_cost import counted


def test_a_definition_is_learnt_while_no_transaction_is_open(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = rig.submit(servers("web"))
    operation_states.forget()
    connections: list[str] = []

    def noted(document: Any) -> Any:
        connections.append(rig.db.engine.pool.status())
        return parse(document)

    idle = rig.db.engine.pool.status()
    monkeypatch.setattr(read, "parse", noted)
    assert batches.progress(rig.ctx, batch)["current_level"] == 0
    assert connections == [idle]


def progress(rig: Rig, batch: str) -> list[Any]:
    """Progress by what is kept and by everything read anew, which must be the same."""
    kept = batches.progress(rig.ctx, batch)
    operation_states.forget()
    anew = batches.progress(rig.ctx, batch)
    moments = {"estimated_completion": None}  # The clock goes on.
    assert kept | moments == anew | moments
    return [kept["percent"], kept["running_operations"], kept["pending_operations"]]


def test_what_is_kept_from_reading_to_reading_is_what_stands_in_the_tables(rig: Rig) -> None:
    bad = failing("bad", needs=["first"], on_failure="continue")
    line = [servers("beside", needs=["first"]), servers("last", needs=["beside"])]
    batch = rig.submit(servers("first"), bad, servers("after", needs=["bad"]), *line)

    seen = [progress(rig, batch)]
    while rig.driver.deliver() is not None or any(rig.driver.fire(one) for one in rig.open_runs()):
        seen.append(progress(rig, batch))
    assert seen[0] == [0.0, ["first"], ["bad", "after", "beside", "last"]]
    assert seen[-1] == [100.0, [], []]
    assert len({str(one) for one in seen}) > 4


def test_a_second_reading_reads_only_what_has_changed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = rig.submit(*(servers(f"op{n}", needs=["op0"] if n else []) for n in range(50)))
    read_whole, asked = listing.standing, list[Any]()

    def noted(tx: Any, run_id: str, keys: Any = None) -> Any:
        asked.append(keys)
        return read_whole(tx, run_id, keys)

    monkeypatch.setattr(listing, "standing", noted)
    for _ in range(2):
        batches.progress(rig.ctx, batch)
    assert asked == [None]
    while rig.driver.deliver() is not None and len(asked) == 1:
        batches.progress(rig.ctx, batch)
    assert "op0" in asked[1]


def test_edges_are_stored_a_thousand_at_a_time(rig: Rig) -> None:
    stored: list[int] = []

    def noted(_connection: Any, _cursor: Any, statement: str, rows: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO edge"):
            stored.append(len(rows))

    event.listen(rig.db.engine, "before_cursor_execute", noted)
    rig.submit(*(servers(f"op{n}", needs=[f"op{m}" for m in range(n)]) for n in range(50)))
    assert stored == [1000, 225]


def test_the_items_of_a_large_operation_are_all_shown_as_undone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "MOST_ITEMS", 2)
    batch = rig.run(servers("web", "a", "b", "c", "d"))
    rig.roll_back(batch)

    shown, total = batches.operation_items(rig.ctx, batch, "web", limit=2)

    assert total == 4
    assert [(one["name"], one["status"]) for one in shown] == [("a", "RolledBack"), ("b", "RolledBack")]


def test_the_items_of_all_that_was_undone_are_read_in_one_query(rig: Rig) -> None:
    counts = []
    for number in (2, 12):
        batch = rig.run(*(servers(f"op{number}-{n}", f"s{number}-{n}") for n in range(number)))
        rig.roll_back(batch)
        with counted(rig) as asked:
            shown = batches.detail(rig.ctx, batch)
        assert {item["status"] for one in shown["operations"] for item in one["items"]} == {"RolledBack"}
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_checkpoints_name_so_many_operations_in_all_the_newest_first(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "MOST_COMPLETED", 9)
    often = {"checkpoint_interval": 1}
    batch = rig.run(*(servers(f"op{n}") for n in range(5)), rollback_strategy=often, parallel_limit=1)

    points = batches.detail(rig.ctx, batch)["checkpoints"]

    assert [one["completed_count"] for one in points] == [1, 2, 3, 4, 5]
    assert [len(one["completed_operations"]) for one in points] == [0, 0, 0, 4, 5]
