"""A log is read by pages of bytes, and folded without the payloads that do not concern the state."""

import json

import pytest

from app.domain.events import EventType
from app.domain.fold import fold
from app.engine.transitions.journal import Journal
from app.record.runs import event_log, runs
from tests.support.driver import Driver

LARGE = "x" * 250_000


def with_events(driver: Driver, times: int, text: str = LARGE) -> str:
    """A run with so many events of its own that bear a number and this text."""
    run_id = driver.start("probe.line")

    def append(j: Journal) -> None:
        for number in range(times):
            j.event(EventType.USER_EVENT, eventType="big", payload=[number, text])

    driver.under_lock(run_id, append)
    return run_id


def test_a_page_ends_after_a_mebibyte_and_the_next_one_goes_on(driver: Driver) -> None:
    run_id = with_events(driver, 12)
    pages: list[list[int]] = []
    while not pages or pages[-1]:
        after = pages[-1][-1] if pages else 0
        found = driver.db.read(lambda tx, after=after: event_log.page(tx, run_id, after=after))  # type: ignore[misc]
        assert len(json.dumps([row["payload"] for row in found])) < event_log.PAGE_BYTES + 262_144
        pages.append([row["seq"] for row in found])
    assert [seq for page in pages for seq in page] == list(range(1, 14))
    assert max(len(page) for page in pages[1:]) == 5


def test_what_was_asked_for_comes_at_once_where_it_fits(driver: Driver) -> None:
    run_id = with_events(driver, 300, "small")
    found = driver.db.read(lambda tx: event_log.page(tx, run_id, after=1, limit=280, until=290))
    assert [row["payload"]["payload"][0] for row in found] == list(range(280))
    last = driver.db.read(lambda tx: event_log.page(tx, run_id, after=1, limit=280, until=100))
    assert [row["seq"] for row in last] == list(range(2, 101))


def test_an_event_larger_than_a_page_is_a_page(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "PAGE_BYTES", 1_000)
    run_id = with_events(driver, 2)
    found = driver.db.read(lambda tx: event_log.page(tx, run_id, after=1))
    assert [row["seq"] for row in found] == [2]


def test_the_fold_is_the_same_without_what_it_does_not_need(driver: Driver) -> None:
    run_id = with_events(driver, 3)
    driver.act(run_id, "pause")
    driver.under_lock(run_id, lambda j: j.event(EventType.USER_EVENT, payload=LARGE, runStatus="paused"))
    driver.act(run_id, "unpause")
    driver.finish(run_id)
    slim = driver.db.read(lambda tx: list(event_log.walk(tx, run_id)))
    assert fold(slim) == fold(driver.db.read(lambda tx: runs.events_of(tx, run_id)))
    assert len(json.dumps(slim)) < 2 * len(LARGE)
