"""The events of a transition are one row; a reader of the log finds each event under its own number."""

from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.events import EventType
from app.domain.fold import fold
from app.domain.rows.runs import EventRow
from app.engine.transitions.journal import Journal
from app.record.runs import event_log, event_rows, runs
from app.record.runs.event_rows import MOST_IN_ROW, SMALL_BYTES
from app.record.session import Tx
from app.record.tables import event
from tests.support.driver import Driver
from tests.support.logs import open_log

Row = dict[str, Any]


def rows_of(driver: Driver, run_id: str) -> list[int]:
    """The numbers of the rows of a run's log."""

    def numbers(tx: Tx) -> list[int]:
        where = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id)
        return [row["seq"] for row in tx.rows(select(event.c.seq).where(*where).order_by(event.c.seq))]

    return driver.db.read(numbers)


def finished(driver: Driver) -> str:
    run_id = driver.start("probe.line")
    assert driver.finish(run_id) == "completed"
    return run_id


def test_a_transition_is_a_row(driver: Driver) -> None:
    run_id = finished(driver)
    log = driver.log(run_id)
    assert [row["seq"] for row in log] == list(range(1, 10))
    assert rows_of(driver, run_id) == [1, 3, 5, 6, 7, 9]  # The third step has a message of its own.
    assert driver.run(run_id)["event_seq"] == 9


def test_every_page_of_a_log_has_what_was_asked_for(driver: Driver) -> None:
    run_id = finished(driver)
    log = driver.log(run_id)

    def read(tx: Tx, after: int, until: int) -> tuple[list[Row], list[Row], list[Row]]:
        page = event_log.page(tx, run_id, after=after, limit=3, until=until)
        return page, list(event_log.walk(tx, run_id, after=after, until=until)), _until(tx, run_id, until)

    for after, until in combinations_with_replacement(range(11), 2):
        some = [row for row in log if after < row["seq"] <= until]
        found = driver.db.read(partial(read, after=after, until=until))
        assert found == (some[:3], some, log[:until])


def _until(tx: Tx, run_id: str, until: int) -> list[Row]:
    return [{**row} for row in runs.events_of(tx, run_id, until=until)]


def test_a_log_with_an_event_a_row_is_read_as_before_and_goes_on(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.act(run_id, "pause")
    before = driver.log(run_id)
    driver.db.write(lambda tx: open_log(tx, run_id))
    assert rows_of(driver, run_id) == [row["seq"] for row in before]
    assert driver.log(run_id) == before
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"
    log = driver.log(run_id)
    assert log[: len(before)] == before
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))


def test_an_event_inside_of_a_row_is_found_by_its_type(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.act(run_id, "pause")
    driver.act(run_id, "unpause")
    driver.finish(run_id)
    notes = driver.db.read(lambda tx: event_log.remarks(tx, run_id))
    assert [note["payload"]["action"] for note in notes] == ["unpause", "pause"]
    assert driver.db.read(lambda tx: event_log.remarks(tx, run_id, limit=1)) == notes[:1]
    started = driver.db.read(lambda tx: event_rows.of_types(tx, run_id, "step.started"))
    assert [row["step"] for row in started] == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("sizes", "rows"), [([1, 1, 1], [4]), ([SMALL_BYTES, 1], [2, 3]), ([1] * (MOST_IN_ROW + 1), [33, 34])]
)
def test_a_row_is_bounded(driver: Driver, sizes: list[int], rows: list[int]) -> None:
    run_id = driver.start("probe.line")

    def append(j: Journal) -> None:
        for size in sizes:
            j.event(EventType.USER_EVENT, payload="x" * size)

    driver.under_lock(run_id, append)
    assert rows_of(driver, run_id) == [1, *rows]
    log = driver.log(run_id)
    assert [len(row["payload"]["payload"]) for row in log[1:]] == sizes
    slim = driver.db.read(lambda tx: list(event_log.walk(tx, run_id)))
    assert fold(slim) == fold(log)


def test_events_of_runs_that_are_written_together_share_no_row() -> None:
    begun: EventRow = {"seq": 1, "type": EventType.RUN_CREATED, "at": 1}
    written = event_rows.packed([{**begun, "run_id": "one"}, {**begun, "run_id": "two"}])
    assert [(row["run_id"], row["earlier"]) for row in written] == [("one", None), ("two", None)]
