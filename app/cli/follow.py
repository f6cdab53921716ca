"""Following a run to its end: a live picture on a terminal, one line for each event elsewhere."""

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli.cells import cell, duration, printable, utc_now
from app.cli.marks import look
from app.cli.output import say
from windlass import Client, Event, Run, Step, WindlassError

FRAMES = 2  # Pictures a second: elapsed times go on while the service keeps its answer back.


def settled(run: Run) -> bool:
    """Nothing more happens unless an operator decides."""
    return run.settled


def follow(
    client: Client,
    run_id: str,
    *,
    timeout_s: float | None = None,
    until: Callable[[Run], bool] = settled,
    title: str = "",
) -> Run:
    """The run once it has settled; shown on stderr meanwhile. Raises `WaitTimeout`."""
    look = partial(client.runs.wait, run_id, timeout_s=timeout_s, until=until)
    if not sys.stderr.isatty():
        return look(seen=Lines(client, run_id))
    drawn = Drawn(title)
    with Live(console=Console(stderr=True), get_renderable=drawn, refresh_per_second=FRAMES) as live:
        run = look(seen=drawn.saw)
        live.refresh()
        return run


class Drawn:
    """The newest look at a run as a picture of this moment."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._run: Run | None = None

    def saw(self, run: Run) -> None:
        """Keep the newest look."""
        self._run = run

    def __call__(self) -> Group:
        return Group() if self._run is None else picture(self._run, self._title, utc_now())


class Lines:
    """Prints the events that a run has gained since the last look."""

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._seq = 0

    def __call__(self, run: Run) -> None:
        # A run without a readable log can still be followed by its status.
        with suppress(WindlassError):
            for event in self._client.runs.events(self._run_id, after=self._seq):
                self._seq = event.seq
                say(line(event))


def line(event: Event) -> str:
    """One event on one line."""
    at = event.at.strftime("%H:%M:%S.%f")[:-3] if event.at else ""
    step = f"{'undo ' if event.phase == 'comp' else ''}{event.step}" if event.step else ""
    attempt = f"attempt {event.attempt}" if event.attempt and event.attempt > 1 else ""
    return "  ".join(printable(part) for part in (at, event.type, step, attempt, told(event)) if part)


def told(event: Event) -> str:
    """What an event says beside its type; inputs and outputs are for `-o json`."""
    payload = event.payload or {}
    error = payload.get("error") or {}
    parts = (
        str(payload.get("message") or ""),
        " ".join(f"{name}={cell(value)}" for name, value in (payload.get("fields") or {}).items()),
        f"{error.get('code')}: {error.get('message')}" if error else "",
        f"next at {_clock(payload['dueAt'])}" if payload.get("dueAt") else "",
        str(payload.get("resource") or ""),
        f"by {event.actor}" if event.actor else "",
        str(payload.get("reason") or ""),
    )
    return "  ".join(part for part in parts if part)


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%H:%M:%S")


def picture(run: Run, title: str = "", now: datetime | None = None) -> Group:
    """The run as it stands: what it is, its steps, its undo steps, why it does not move."""
    head = Text.assemble(
        (f"{title}  " if title else "", "bold"),
        (run.type, "bold"),
        f"  {run.id}  {run.detail or run.status}",
        f"  {run.progress} %" if run.progress is not None else "",
        _ends(run, now),
    )
    steps = Table(box=None, show_header=False, padding=(0, 1))
    for step in run.steps:
        steps.add_row(*_row(run, step, "", now))
    for step in run.compensation:
        steps.add_row(*_row(run, step, "undo ", now))
    return Group(head, steps, *_notes(run))


def _ends(run: Run, now: datetime | None) -> str:
    """When it is expected to end, while anybody knows."""
    end = run.estimated_completion_at
    if run.settled or end is None or now is None or end <= now:
        return ""
    return f"  expected in {duration((end - now).total_seconds() * 1000)}"


def _took(step: Step, now: datetime | None) -> str:
    """How long a step took, or has been going on."""
    if step.duration_ms is None and step.started_at and now and step.status == "running":
        return duration(max(0.0, (now - step.started_at).total_seconds() * 1000))
    return duration(step.duration_ms)


def _row(run: Run, step: Step, prefix: str, now: datetime | None) -> tuple[Text, ...]:
    mark, style = look(step.detail or step.status)
    attempt = f"attempt {step.attempt}" if step.attempt and step.attempt > 1 else ""
    undone = "undone" if step.compensated_at else ""
    # What ended the run stands below the table in full.
    ended_it = run.error is not None and run.error.step == step.name
    problem = printable(step.error.message) if step.error and not ended_it else ""
    if not problem and step.status == "running":
        problem = printable(step.progress or "")
    name, took = f"{prefix}{step.undoes or step.name}", _took(step, now)
    words = (name, step.detail or step.status, took, attempt, undone, problem)
    return (Text(mark, style), *(Text(word, style) for word in words))


def _notes(run: Run) -> list[Text]:
    notes = []
    if run.waiting_on and not run.ended:
        notes.append(Text(f"  {printable(run.waiting_on.text)}", "yellow"))
    if run.error:
        notes.append(Text(f"  {run.error.code}: {printable(run.error.message)}", "red"))
    return notes
