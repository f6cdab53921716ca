"""What docs/write-a-workflow.rst shows is what runs."""

import re
import textwrap
from pathlib import Path
from typing import Any

from tests.examples import first_workflow
from tests.examples.first_workflow import book_room
from windlass import Context
from windlass.testing import Harness, survives

PAGE = (Path(__file__).parents[2] / "docs/write-a-workflow.rst").read_text()


def blocks() -> list[str]:
    """The code of the page."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", PAGE)
    return [textwrap.dedent(block).strip() for block in found]


def test_the_page_shows_the_file() -> None:
    source = Path(first_workflow.__file__ or "").read_text()
    assert blocks()[0] == source.partition('"""\n\n')[2].strip()


def test_what_the_page_tries_works() -> None:
    code = next(block for block in blocks() if block.startswith("from windlass.testing import Harness\n"))
    exec(code, {"book_room": book_room})


def test_what_the_page_proves_is_so() -> None:
    def story(h: Harness) -> Any:
        run = h.start(book_room, "blue")
        run.signal("decision", {"approved": True})
        return run.result()

    assert survives(story) == {"booking": "booking-of-blue"}


def test_every_call_of_ctx_is_on_the_page() -> None:
    public = {name for name in vars(Context) if not name.startswith("_")}
    told = set(re.findall(r"(?:ctx)?\.(\w+)", PAGE))
    assert public - told == set()
