"""No type of event is left in the table that nothing writes; that none is misspelt, mypy sees."""

import re
from pathlib import Path

from app.domain.events import EventType

ROOT = Path(__file__).parents[2]
WRITERS = ("engine", "worker", "services")


def test_every_type_of_event_is_written_somewhere() -> None:
    sources = (path.read_text() for room in WRITERS for path in (ROOT / "app" / room).rglob("*.py"))
    written = set(re.findall(r"EventType\.(\w+)", "".join(sources)))
    assert {one.name for one in EventType} - written == set()
