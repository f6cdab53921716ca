"""The picture of a run: pairs of events become segments, and gaps in which nothing works are cut."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console import timeline
from app.console.segments import AFTER, FREES, GOES_ON, MUTE, STOPS
from app.console.timeline import Picture, Row, Scale, draw
from app.domain.events import EventType

T0 = 1_768_305_600_000


def at(ms: int) -> str:
    """A moment so many milliseconds after the beginning."""
    return (
        datetime.fromtimestamp((T0 + ms) / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def log(*events: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Events from (milliseconds, type, step, phase, attempt)."""
    return [
        {
            "seq": seq,
            "at": at(ms),
            "type": kind,
            "step": rest[0] if rest else None,
            "phase": rest[1] if len(rest) > 1 else "forward",
            "attempt": rest[2] if len(rest) > 2 else 1,
        }
        for seq, (ms, kind, *rest) in enumerate(events, start=1)
    ]


def run(*steps: str, ended: int | None = None, **more: Any) -> dict[str, Any]:
    """A run with these steps."""
    shown = [{"name": name, "kind": "task", "detail": "completed"} for name in steps]
    completed = None if ended is None else at(ended)
    return {"createdAt": at(0), "completedAt": completed, "steps": shown, "compensation": [], **more}


def row(picture: Picture, label: str) -> Row:
    """The row of a step."""
    return next(each for each in picture.rows if each.label == label)


def kinds(picture: Picture, label: str) -> list[tuple[str, str]]:
    """What a step did: kinds and colours of its bars."""
    return [(bar.kind, bar.look) for bar in row(picture, label).bars]


def test_a_step_waits_in_the_queue_from_the_end_of_the_one_before() -> None:
    events = log((0, "run.created"), (0, "step.started", "a"), (10, "step.completed", "a"))
    events += log((30, "step.started", "b"), (40, "step.completed", "b"))
    assert kinds(draw(run("a", "b", ended=40), events, T0), "b") == [("queue", "idle"), ("work", "ok")]


def test_a_retry_is_a_failed_attempt_a_backoff_and_another_attempt() -> None:
    events = log((0, "step.started", "a"), (10, "step.retrying", "a"), (60, "step.ready", "a"))
    events += log((70, "step.started", "a", "forward", 2), (90, "step.failed", "a"))
    assert kinds(draw(run("a", ended=90), events, T0), "a") == [
        ("work", "fail"),
        ("backoff", "fail"),
        ("queue", "idle"),
        ("work", "fail"),
    ]


def test_waiting_for_something_outside_is_no_work() -> None:
    events = log((0, "step.started", "a"), (5, "step.waiting", "a"), (5_000, "step.ready", "a"))
    events += log((5_001, "step.polling", "a"), (5_010, "step.completed", "a"))
    assert [kind for kind, _ in kinds(draw(run("a", ended=5_010), events, T0), "a")] == [
        "work",
        "wait",
        "queue",
        "work",
    ]


def test_being_held_is_drawn_at_the_step_that_failed_and_goes_on_until_now() -> None:
    events = log((0, "step.started", "a"), (10, "step.failed", "a"), (10, "run.held"))
    last = row(draw(run("a"), events, T0 + 60_000), "a").bars[-1]
    assert (last.kind, last.look, last.live) == ("held", "hold", True)


def test_a_lock_that_was_taken_has_a_row_of_its_own_and_a_free_one_has_none() -> None:
    waited = log((0, "run.created"), (9_000, "lock.granted"), (9_001, "step.started", "a"))
    free = log((0, "run.created"), (1, "lock.granted"), (2, "step.started", "a"))
    assert draw(run("a"), waited, T0 + 9_100).rows[0].label == "lock"
    assert draw(run("a"), free, T0 + 100).rows[0].label == "a"


def test_what_is_undone_comes_last_in_a_colour_of_its_own() -> None:
    undo = [{"name": "undo-a", "undoes": "a", "detail": "completed"}]
    events = log((0, "step.started", "a"), (10, "step.completed", "a"), (20, "run.compensating"))
    events += log((25, "step.started", "undo-a", "comp"), (30, "step.completed", "undo-a", "comp"))
    picture = draw(run("a", ended=30, compensation=undo), events, T0)
    assert [each.kind for each in picture.rows] == ["step", "title", "step"]
    assert picture.rows[-1].label == "a"
    assert picture.rows[-1].bars[-1].look == "undo"


def test_a_long_gap_is_cut_and_says_how_long_it_was() -> None:
    scale = Scale.of(0, 10_000, [(0, 100), (9_900, 10_000)])
    assert [text for _, text in scale.breaks()] == ["9.8 s"]
    assert scale.at(9_900) - scale.at(100) == pytest.approx(100 * 0.12 / 1.12)


def test_finished_steps_are_folded_when_there_are_many() -> None:
    names = [f"s{place}" for place in range(40)]
    shown = run(*names)
    shown["steps"][30]["detail"] = "failed"
    picture = draw(shown, [], T0)
    assert picture.rows[0].label == "27 finished steps"
    assert len(picture.rows) == 1 + 13
    assert len(draw(shown, [], T0, everything=True).rows) == 40


def test_a_fan_out_is_one_row_and_opened_it_shows_failed_members_first() -> None:
    steps = [{"name": "each", "kind": "map", "detail": "failed"}]
    steps += [
        {"name": f"each[{n}].a", "branch": f"each/{n}", "detail": "failed" if n == 70 else "completed"}
        for n in range(80)
    ]
    shown = run(steps=steps, ended=10)
    assert [each.label for each in draw(shown, [], T0).rows] == ["each 80/80"]
    opened = draw(shown, [], T0, opened="each")
    assert opened.rows[1].label == "each[70].a"
    assert len(opened.rows) == 1 + timeline.MEMBERS_A_PAGE
    assert opened.members == 80


def test_more_bars_than_anybody_can_see_are_put_together() -> None:
    events = []
    for place in range(3_000):
        events += log((place * 10, "step.started", "a"), (place * 10 + 5, "step.retrying", "a"))
    picture = draw(run("a"), events, T0 + 30_000)
    assert sum(len(each.bars) for each in picture.rows) <= timeline.MOST_BARS


def test_every_event_is_drawn_or_known_as_mute() -> None:
    known = {*AFTER, *STOPS, *GOES_ON, *FREES, *MUTE}
    assert set(EventType) - known == set()


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(sorted(AFTER))), max_size=40))
def test_bars_of_a_row_never_overlap_and_stay_inside(moves: list[tuple[int, str]]) -> None:
    events = log(*((ms, kind, "a") for ms, kind in sorted(moves)))
    for each in draw(run("a"), events, T0 + 6_000).rows:
        ends = 0.0
        for bar in each.bars:
            assert bar.x >= ends - 0.01
            ends = bar.x + bar.width
        assert ends <= 100.01


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 900)), min_size=1, max_size=20))
def test_a_scale_keeps_the_order_and_fills_the_width(work: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in work]
    scale = Scale.of(0, 10_000, spans)
    moments = sorted({0, 10_000, *(edge for span in spans for edge in span)})
    places = [scale.at(moment) for moment in moments]
    assert places == sorted(places)
    assert places[0] == pytest.approx(0, abs=1e-6)
    assert places[-1] == pytest.approx(100)
