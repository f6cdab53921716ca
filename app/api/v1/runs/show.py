"""Runs as their answers need them; what they say is made by `app.services.run_pages`."""

from app.api.http import envelope, versions
from app.api.http.context import world
from app.api.http.envelope import Answer
from app.domain.rows.runs import RunRow
from app.record.paging import Page, Window
from app.record.runs.run_list import RunFilters
from app.services import run_pages
from app.services.runs import Started

Object = dict[str, object]


def row(run_id: str) -> RunRow:
    """The run's row; raises `NotFound`."""
    return run_pages.row(world(), run_id)


def detail(run_id: str) -> tuple[RunRow, Object]:
    """The run's row and its object with steps; raises `NotFound`."""
    return run_pages.detail(world(), run_id)


def tagged(run_id: str) -> Answer:
    """The run with its ETag, or 304."""
    found, shown = detail(run_id)
    return versions.tagged(shown, versions.run_tag(found, shown))


def started(new: Started) -> Answer:
    """202 with the run that was started."""
    return envelope.accepted(run_pages.started(world(), new), new.run)


def accepted(run: RunRow) -> Answer:
    """202 with the run that is being changed."""
    found, shown = detail(run["id"])
    return envelope.accepted(shown, found)


def page(filters: RunFilters, window: Window) -> tuple[Page, list[Object]]:
    """A page of runs with their steps."""
    return run_pages.page(world(), filters, window)
