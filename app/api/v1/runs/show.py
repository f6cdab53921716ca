"""Runs as their answers need them, read in one transaction."""

from typing import Any

from app.api.http import envelope, versions
from app.api.http.context import world
from app.domain.errors import NotFound
from app.domain.rows.runs import RunRow, StepRow
from app.domain.usual import blended
from app.engine.transitions import operator_actions
from app.record.paging import Page, Window
from app.record.runs import metrics, run_list, runs
from app.record.runs.run_list import RunFilters
from app.record.session import Tx
from app.services import naming, presence, present
from app.services.runs import Started
from chains import catalogue

Object = dict[str, Any]
_NOT_BEGUN: Object = dict.fromkeys(
    ("first_started_at", "completed_at", "progress", "retry_at", "error", "compensated_at")
)


def row(run_id: str) -> RunRow:
    """The run's row; raises `NotFound`."""
    return world().db.read(lambda tx: _read(tx, run_id))


def detail(run_id: str) -> tuple[RunRow, Object]:
    """The run's row and its object with steps; raises `NotFound`."""
    return world().db.read(lambda tx: _detail(tx, run_id))


def tagged(run_id: str) -> Any:
    """The run with its ETag, or 304."""
    found, shown = detail(run_id)
    return versions.tagged(shown, versions.run_tag(found, shown))


def started(new: Started) -> Any:
    """202 with the run that was started, without a look at it where everything about it is known."""
    if new.steps is None:
        return accepted(new.run)
    steps = [{**_NOT_BEGUN, **step} for step in new.steps]
    actions = operator_actions.offers(new.run["status"])
    shown = present.run_detail(new.run, steps, now=new.run["created_at"], operator_actions=actions)
    shown["resourceName"] = _name(new.run)
    return envelope.accepted(shown, new.run)


def _name(run: RunRow) -> str | None:
    """What people call its resource; without one there is nothing to look for."""
    if run["resource_id"] is None:
        return None
    resource = (run["resource_type"], run["resource_id"])
    return world().db.read(lambda tx: naming.names_of(tx, [resource])).get(run["resource_id"])


def accepted(run: RunRow) -> Any:
    """202 with the run that is being changed."""
    found, shown = detail(run["id"])
    return envelope.accepted(shown, found)


def page(filters: RunFilters, window: Window) -> tuple[Page, list[Object]]:
    """A page of runs with their steps."""
    return world().db.read(lambda tx: _page(tx, filters, window))


def _page(tx: Tx, filters: RunFilters, window: Window) -> tuple[Page, list[Object]]:
    found = run_list.list_runs(tx, filters, window)
    # Of a code workflow there may be thousands, and none of them was planned.
    steps = run_list.brief_steps(tx, [run["id"] for run in found.rows if run["version"] is None])
    served = presence.served_for(tx, found.rows)
    names = naming.names_of(tx, ((run["resource_type"], run["resource_id"]) for run in found.rows))
    return found, [
        {
            **present.run_summary(run, steps.get(run["id"], ()), now=tx.now, served=served),
            "resourceName": names.get(run["resource_id"]),
        }
        for run in found.rows
    ]


def _read(tx: Tx, run_id: str) -> RunRow:
    found = runs.read_run(tx, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id}.")
    return found


def _usual(tx: Tx, found: RunRow, steps: list[StepRow]) -> dict[str, float]:
    """How long each step is expected to take: as in earlier runs, and as it declares."""
    seen = metrics.usual_step_ms(tx, found["type"], found["created_at"])
    return {
        step["key"]: blended(catalogue.expected_ms(step["name"]), *seen.get(step["key"], (0.0, 0)))
        for step in steps
        if step["phase"] == "forward"
    }


def _detail(tx: Tx, run_id: str) -> tuple[RunRow, Object]:
    found = _read(tx, run_id)
    steps = runs.all_steps(tx, run_id)
    shown = present.run_detail(
        found,
        steps,
        now=tx.now,
        retried_by=run_list.retries_of(tx, run_id),
        usual_ms=_usual(tx, found, steps),
        operator_actions=operator_actions.offers(found["status"]),
        served=presence.served_for(tx, [found]),
    )
    names = naming.names_of(tx, [(found["resource_type"], found["resource_id"])])
    return found, {**shown, "resourceName": names.get(found["resource_id"] or "")}
