"""The table of events and the engine agree."""

import re
from pathlib import Path

from app.domain.events import OF_APPS, TOLD, TYPES

ROOT = Path(__file__).parents[2]
NAME = re.compile(r'"((?:run|step|hook|lock|operator|signal|calls|user)\.[a-z_]+)"')


def written() -> set[str]:
    """The types of event that the engine writes."""
    sources = "".join(
        path.read_text() for room in ("engine", "worker") for path in (ROOT / "app" / room).rglob("*.py")
    )
    services = "".join(path.read_text() for path in (ROOT / "app/services").glob("*.py"))
    said = set(NAME.findall(sources)) | set(re.findall(r'event\(\s*"([a-z_.]+)"', services))
    return said - {"step.raised", "run.raised"}  # Lines of the worker's log.


def test_every_event_that_is_written_is_in_the_table() -> None:
    assert written() - set(TYPES) == set()


def test_every_event_of_the_table_is_written() -> None:
    assert set(TYPES) - written() == set()


def test_others_are_told_of_events_that_there_are() -> None:
    assert set(TOLD) <= set(TYPES) | set(OF_APPS)
