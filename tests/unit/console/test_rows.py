"""Lines of the list of runs."""

from flask import Flask

from app.console.runs import MOST_CELLS, row

RUN = {
    **dict.fromkeys(("startedAt", "completedAt", "durationMs", "waitingOn", "error")),
    "status": "running",
    "detail": "running",
    "createdAt": "2026-01-13T12:00:00.000Z",
}


def test_a_line_counts_all_steps_and_draws_the_first_ones() -> None:
    done = [{"name": "a", "status": "completed"}] * MOST_CELLS
    steps = [*done, {"name": "b", "status": "skipped"}, {"name": "c", "status": "pending"}]

    with Flask("console").app_context():
        shown = row({**RUN, "steps": steps})

    assert (shown["stepsDone"], shown["stepsAll"]) == (MOST_CELLS + 1, MOST_CELLS + 2)
    assert shown["cells"] == [("ok", "a: completed")] * MOST_CELLS
