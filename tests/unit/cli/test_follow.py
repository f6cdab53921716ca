"""A run that is followed can be read at a glance."""

from rich.console import Console

from app.cli.follow import line, picture
from windlass import Event, Run

HELD = {
    "id": "run_1",
    "type": "server.provision",
    "status": "running",
    "detail": "compensating",
    "progress": 40,
    "needsOperator": True,
    "steps": [
        {"name": "reserve", "status": "completed", "durationMs": 12, "compensatedAt": "2026-01-01T00:00:00Z"},
        {"name": "power", "status": "running", "detail": "retry_wait", "attempt": 2},
        {"name": "install", "status": "pending"},
    ],
    "compensation": [{"name": "undo-1", "undoes": "reserve", "status": "completed"}],
    "waitingOn": {"kind": "operator", "text": "Needs an operator: power failed.", "step": "power"},
    "error": {"code": "BMC_REFUSED", "message": "No \u001b[2J power.", "step": "power"},
}


def drawn(run: Run) -> list[str]:
    """The picture as lines of text."""
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(picture(run, "provision"))
    return [" ".join(text.split()) for text in captured.get().splitlines()]


def test_the_picture_shows_steps_undo_and_why_nothing_moves() -> None:
    assert drawn(Run.of(HELD)) == [
        "provision server.provision run_1 compensating 40 %",
        "✔ reserve completed 12ms undone",
        "↻ power retry_wait attempt 2",
        "· install pending",
        "✔ undo reserve completed",
        "Needs an operator: power failed.",
        "BMC_REFUSED: No �[2J power.",
    ]


def test_an_event_is_one_line() -> None:
    event = Event.of(
        {
            "seq": 4,
            "type": "step.failed",
            "phase": "comp",
            "step": "power",
            "attempt": 2,
            "at": "2026-01-01T10:20:30.456Z",
            "payload": {
                "error": {"code": "BMC_REFUSED", "message": "No."},
                "dueAt": "1970-01-01T00:00:01.000Z",
                "fence": 1,
            },
        }
    )

    told = "10:20:30.456  step.failed  undo power  attempt 2  BMC_REFUSED: No.  next at 00:00:01"
    assert line(event) == told


def test_a_log_line_says_its_fields() -> None:
    payload = {"message": "power confirmed", "fields": {"state": "on", "took": 3}}

    assert (
        line(Event.of({"type": "step.log", "payload": payload}))
        == "step.log  power confirmed  state=on took=3"
    )
