"""The questions that are put differently to SQLite and PostgreSQL have the same answers."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import insert

from app.api.v1.metrics.numbers import measured
from app.domain.rows.runs import EventRow, RunRow
from app.record import listing, tables
from app.record.listing import ServerFilters
from app.record.paging import EXACT_TOTAL, Page, Window
from app.record.runs import code_runs, run_list, run_search, runs
from app.record.runs.run_list import RunFilters
from app.record.service import requests
from app.record.session import Database, Tx

SQLITE = pytest.param("sqlite", marks=pytest.mark.sqlite)
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
T0 = 1_768_305_600_000


@pytest.fixture(params=[SQLITE, POSTGRES])
def db(request: pytest.FixtureRequest, databases: Callable[[str], Any]) -> Iterator[Database]:
    """A fresh database of each kind."""
    url = databases(request.param).fresh()
    made = Database(url)
    yield made
    made.dispose()
    databases(request.param).drop(url)


def run_row(run_id: str, **changes: Any) -> RunRow:
    """A run."""
    given = {"id": run_id, "type": "server.inspect", "status": "running", "triggered_by": "usr_a"}
    times = {"created_at": T0, "started_at": T0, "on_failure": "hold", "tenant_id": "default"}
    optional = dict.fromkeys(("completed_at", "expect_since", "retry_of", "error_code", "parent_run_id"))
    row = {**given, **times, **optional, "waiting_on": None, "tags": None, **changes}
    row["expect_from"] = row["expect_since"]
    return cast("RunRow", row)


def plant(db: Database, *rows: RunRow) -> None:
    """Store runs."""

    def work(tx: Tx) -> None:
        for row in rows:
            runs.insert_run(tx, row)

    db.write(work)


def found(db: Database, **filters: Any) -> list[str]:
    """The ids of the runs that match."""
    wanted = RunFilters(**filters)
    return [row["id"] for row in db.read(lambda tx: run_list.list_runs(tx, wanted, Window())).rows]


def test_a_tag_is_found_as_a_whole_and_not_as_a_part(db: Database) -> None:
    plant(db, run_row("run_a", tags=["rack-7"]), run_row("run_b", tags=["rack-70"]), run_row("run_c"))
    assert found(db, tags=("rack-7",)) == ["run_a"]
    assert found(db, tags=('" OR 1=1 --',)) == []


def test_a_run_waits_when_it_says_so_or_nobody_takes_its_message(db: Database) -> None:
    now = db.read(lambda tx: tx.now)
    plant(
        db,
        run_row("run_hook", waiting_on={"kind": "hook"}),
        run_row("run_worker", expect_since=now - 60_000),
        run_row("run_soon", expect_since=now),
        run_row("run_ended", status="failed", completed_at=T0, waiting_on={"kind": "hook"}),
    )
    assert sorted(found(db, waiting=True)) == ["run_hook", "run_worker"]
    assert sorted(found(db, waiting=False)) == ["run_ended", "run_soon"]


def test_runs_are_found_by_what_they_need_and_by_their_parent(db: Database) -> None:
    plant(
        db,
        run_row("run_held", status="failed_held"),
        run_row("run_blocked", status="blocked", parent_run_id="run_held"),
        run_row("run_undone", status="failed", completed_at=T0, parent_run_id="run_held"),
    )
    assert sorted(found(db, needs_operator=True)) == ["run_blocked", "run_held"]
    assert found(db, needs_operator=False) == ["run_undone"]
    assert found(db, detail=("blocked",)) == ["run_blocked"]
    assert sorted(found(db, parent_run_id="run_held")) == ["run_blocked", "run_undone"]


LONG = "01kc9v5q8w3f7x2m4n6p8r0t1v"


def called(db: Database, text: str) -> list[str]:
    """The ids of the runs that a text may mean."""
    return db.read(lambda tx: run_search.runs_called(tx, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"run_{LONG}", [f"run_{LONG}"]),
        ("01kc9v", [f"run_{LONG}"]),
        ("8r0t1v", [f"run_{LONG}"]),
        ("6p8r0t1v", [f"run_{LONG}"]),
        ("r0t1v", []),
        ("9p8r0t1v", []),
        ("Blue", ["Blue-2", "Blue"]),
        ("Blue-2", ["Blue-2"]),
        ("blue", ["blue-1"]),
        ("%", []),
    ],
)
def test_a_run_is_meant_by_the_beginning_or_the_end_of_its_id(
    db: Database, text: str, expected: list[str]
) -> None:
    plant(db, *(run_row(run_id) for run_id in (f"run_{LONG}", "Blue", "Blue-2", "blue-1")))
    assert sorted(called(db, text)) == sorted(expected)


def test_several_statuses_and_types_are_merged_newest_first(db: Database) -> None:
    kinds = ("server.inspect", "server.provision", "vm.create")
    words = ("completed", "failed", "cancelled")
    rows = [
        run_row(
            f"run_{n:02}", type=kinds[n % 3], status=words[n // 3 % 3], completed_at=T0, created_at=T0 + n
        )
        for n in range(27)
    ]
    plant(db, *rows)
    wanted = RunFilters(status=("failed", "cancelled"), type=kinds[:2])

    def page(offset: int) -> Page:
        return db.read(lambda tx: run_list.list_runs(tx, wanted, Window(limit=5, offset=offset)))

    pages = [page(offset) for offset in (0, 5, 10)]
    expected = [row["id"] for row in rows[::-1] if row["type"] in kinds[:2] and row["status"] != "completed"]
    assert [row["id"] for page in pages for row in page.rows] == expected
    assert {page.total for page in pages} == {len(expected)}


def test_since_finds_what_was_created_before_and_began_later(db: Database) -> None:
    plant(
        db,
        run_row("run_old", completed_at=T0 + 10, status="completed"),
        run_row("run_queued_long", started_at=T0 + 900_000, completed_at=T0 + 950_000, status="completed"),
        run_row("run_open", started_at=T0 + 900_000),
        run_row("run_new", created_at=T0 + 800_000, started_at=None),
    )
    assert found(db, since=T0 + 800_000) == ["run_new", "run_queued_long", "run_open"]
    assert found(db, until=T0 + 800_000) == ["run_old"]


def test_a_total_beyond_ten_thousand_is_an_estimate_that_is_near(db: Database) -> None:
    rows = [run_row(f"run_{n:05}", created_at=T0 + n * 1000) for n in range(EXACT_TOTAL + 2_000)]
    plant(db, *rows)
    page = db.read(lambda tx: run_list.list_runs(tx, RunFilters(), Window(limit=1)))
    assert page.estimated
    assert abs(page.total - len(rows)) < len(rows) * 0.05


def test_parts_of_a_period_and_reasons_by_step_are_counted(db: Database) -> None:
    ended = {"status": "failed", "error_code": "TIMEOUT", "error_step": "power", "resource_id": "srv_1"}
    plant(db, *(run_row(f"run_{n}", completed_at=T0 + n * 1_800_000, **ended) for n in range(3)))
    query = {"since": T0, "until": T0 + 7_200_000, "interval": "hour", "breakdown": True}
    numbers = db.read(lambda tx: measured(tx, query))
    assert [one["summary"]["failed"] for one in numbers["buckets"]] == [2, 1]
    assert numbers["failuresByStep"] == [{"step": "power", "code": "TIMEOUT", "count": 3}]
    assert numbers["failuresByResource"][0]["count"] == 3


def test_times_are_nearest_rank_by_type_and_overall(db: Database) -> None:
    ended = {"status": "completed", "started_at": T0}
    plant(db, *(run_row(f"run_{n}", completed_at=T0 + n * 100, **ended) for n in range(1, 11)))
    plant(db, run_row("run_x", type="server.provision", completed_at=T0 + 5_000, **ended))
    numbers = db.read(lambda tx: measured(tx, {"since": T0, "until": T0 + 10_000}))
    by_type = {one["type"]: one["timing"] for one in numbers["byType"]}
    assert numbers["timing"] == {"p50Ms": 600, "p90Ms": 1000, "p99Ms": 5000, "avgMs": 955}
    assert by_type["server.inspect"] == {"p50Ms": 500, "p90Ms": 900, "p99Ms": 1000, "avgMs": 550}
    assert set(by_type["server.provision"].values()) == {5000}


def test_reasons_of_failure_come_by_number_and_then_by_code(db: Database) -> None:
    codes = ("B", "A", "C", "C", None)
    ended = {"status": "failed", "completed_at": T0 + 1}
    plant(db, *(run_row(f"run_{n}", error_code=code, **ended) for n, code in enumerate(codes)))
    numbers = db.read(lambda tx: measured(tx, {"since": T0, "until": T0 + 10}))
    assert [(row["code"], row["count"]) for row in numbers["failureReasons"]] == [
        ("C", 2),
        ("A", 1),
        ("B", 1),
        ("INTERNAL_ERROR", 1),
    ]


def test_parts_of_names_are_taken_literally(db: Database) -> None:
    given = {"tenant_id": "default", "protocol": "ipmi", "state": "available", "created_at": T0}
    rows = [
        {**given, "id": f"srv_{n}", "bmc_address": f"10.0.0.{n}", "display_name": name}
        for n, name in enumerate(("50%_off", "50 off", "Fifty"))
    ]
    db.write(lambda tx: tx.execute(insert(tables.server), rows))
    parts = {"50%": ["50%_off"], "%_": ["50%_off"], "FIFTY": ["Fifty"], "\\": []}
    for part, names in parts.items():
        wanted = ServerFilters(q=part)
        page = db.read(lambda tx, w=wanted: listing.list_servers(tx, w, Window()))  # type: ignore[misc]
        assert [row["display_name"] for row in page.rows] == names


def test_a_request_is_noted_once(db: Database) -> None:
    place = ("usr_a", "/v1/servers", "k")

    def twice(tx: Tx) -> list[bool]:
        return [requests.open_(tx, *place, "hash"), requests.open_(tx, *place, "hash")]

    assert db.write(twice) == [True, False]
    assert db.read(lambda tx: requests.find(tx, *place)) is not None


def test_old_answers_are_dropped(db: Database) -> None:
    place = ("usr_a", "/v1/servers", "k")
    db.write(lambda tx: requests.open_(tx, *place, "hash"))
    assert db.write(lambda tx: requests.forget_before(tx, tx.now - 1_000)) == 0
    assert db.write(lambda tx: requests.forget_before(tx, tx.now + 1_000)) == 1


def test_runs_of_code_are_found_by_what_they_are(db: Database) -> None:
    code = {"kind": "code", "version": "1", "type": "approve"}
    stuck = {"status": "blocked", "error_code": "NONDETERMINISM"}
    plant(
        db,
        run_row("run_declared"),
        run_row("run_a", **code, event_seq=2),
        run_row("run_b", **code, **stuck, created_at=T0 + 1, parent_run_id="run_a"),
        run_row(
            "run_c",
            kind="code",
            version="2",
            type="approve",
            **stuck,
            created_at=T0 + 2,
            parent_run_id="run_a",
        ),
    )
    lines: list[EventRow] = [{"run_id": "run_a", "seq": seq, "type": "x", "at": T0 + seq} for seq in (1, 2)]
    db.write(lambda tx: runs.append_events(tx, lines))

    def listed(name: str | None = None, status: str | None = None) -> list[str]:
        page = db.read(lambda tx: code_runs.list_runs(tx, name, status, Window()))
        return [row["id"] for row in page.rows]

    assert listed() == listed("approve", "running") == ["run_c", "run_b", "run_a"]
    assert listed("approve", "completed") == listed("other") == []
    assert [row["id"] for row in db.read(lambda tx: code_runs.children(tx, "run_a"))] == ["run_b", "run_c"]
    assert db.read(lambda tx: code_runs.updated(tx, ["run_a", "run_b"])) == {"run_a": T0 + 2}
    assert db.read(lambda tx: code_runs.diverged(tx, "approve", "1")) == ["run_b"]
