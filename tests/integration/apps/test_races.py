"""Many writers at once: dense slots, one winner, nothing twice."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.apps.incoming import Incoming
from app.record.session import Database
from tests.integration.apps.events import RUN, START, answered, begin, event, tables

WRITERS = 8


def together(db: Database, said: list[Incoming]) -> list[Any]:
    """The answers to events that are sent at one moment."""
    gate, found = threading.Barrier(len(said)), [None] * len(said)

    def send(place: int, one: Incoming) -> None:
        gate.wait()
        found[place] = answered(db, one)

    threads = [threading.Thread(target=send, args=pair) for pair in enumerate(said)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def types(db: Database) -> Counter[str]:
    rows = tables(db)["event"]
    for run_id in {row["run_id"] for row in rows}:
        slots = [row["seq"] for row in rows if row["run_id"] == run_id]
        assert slots == list(range(1, len(slots) + 1))
    return Counter(row["event_type"] for row in rows)


@pytest.mark.parametrize("kind", ["run_created", "run_started"])
def test_a_run_begins_once_whoever_is_first(db: Database, kind: str) -> None:
    said = [event(kind, None, **START) for _ in range(WRITERS)]

    assert not [one for one in together(db, said) if isinstance(one, int)]
    assert set(types(db).values()) == {1}


@pytest.mark.parametrize(
    ("kind", "data", "before"),
    [
        ("step_created", {"stepName": "s"}, ()),
        ("step_started", {"stepName": "s", "input": 1}, ()),
        ("step_started", {}, (("step_created", {"stepName": "s"}),)),
        ("step_completed", {"result": 1}, (("step_created", {"stepName": "s"}),)),
        ("step_failed", {"error": 1}, (("step_created", {"stepName": "s"}),)),
        ("hook_created", {"token": "t"}, ()),
        ("wait_created", {"resumeAt": "2030-01-01"}, ()),
        ("wait_completed", {}, (("wait_created", {"resumeAt": "2030-01-01"}),)),
        ("run_completed", {"output": 1}, ()),
        ("run_cancelled", {}, ()),
    ],
)
def test_the_same_from_many_is_written_once(db: Database, kind: str, data: Any, before: Any) -> None:
    begin(db)
    for earlier, given in before:
        answered(db, event(earlier, "c", **given))

    assert not [one for one in together(db, [event(kind, "c", **data)] * WRITERS) if isinstance(one, int)]
    assert types(db)[kind] == 1


def test_what_differs_is_written_by_all(db: Database) -> None:
    begin(db)
    made: list[Callable[[int], Incoming]] = [
        lambda number: event("step_created", f"s{number}", stepName="s"),
        lambda number: event("step_started", f"l{number}", stepName="s", input=1),
        lambda number: event("hook_received", "h", payload=number),
    ]
    answered(db, event("hook_created", "h", token="t"))
    together(db, [make(number) for number in range(WRITERS // 2) for make in made])

    assert {
        count
        for kind, count in types(db).items()
        if kind not in ("run_created", "run_started", "hook_created")
    } == {WRITERS // 2}


def test_a_token_has_one_holder(db: Database) -> None:
    ids = [f"wrun_{number}" for number in range(WRITERS)]
    for run_id in ids:
        begin(db, run_id)
    found = together(db, [event("hook_created", "c", run_id, token="t") for run_id in ids])

    assert Counter(kind for kind, _, _ in found) == {"hook": 1, "none": WRITERS - 1}
    assert types(db)["hook_conflict"] == WRITERS - 1


def test_no_token_is_held_by_a_run_that_ended_meanwhile(db: Database) -> None:
    for turn in range(4):
        run_id = f"wrun_{turn}"
        begin(db, run_id)
        said = [event("hook_created", f"h{number}", run_id, token=f"{turn}/{number}") for number in range(4)]
        together(db, [*said, event("run_completed", None, run_id, output=1)])

    assert {row["status"] for row in tables(db)["hook"]} <= {"disposed"}
    assert types(db)["run_completed"] == 4


def test_a_run_ends_in_one_way(db: Database) -> None:
    begin(db)
    together(
        db, [event(kind) for kind in ("run_completed", "run_failed", "run_cancelled", "run_expired")] * 2
    )
    (run,) = tables(db)["run"]

    assert sum(types(db).values()) == 3
    assert (run["id"], run["events"]) == (RUN, 3)
    assert run["status"] in ("completed", "failed", "cancelled", "expired")
