"""Who is told of a run's events, as the statements of the fast path ask for it.

A subscription is of all runs (its ``run_id`` is empty) or of one. A transition looks only at those that
concern its own run and the events that it writes, so that what others subscribed to costs it nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any

from app.domain.events import QUIET, told_types
from app.domain.rows.runs import EventRow
from app.record.tables import subscription

NOBODY: frozenset[str] = frozenset()


def heard(dialect: str) -> str:
    """The events of this ``run`` that somebody subscribed to, as one text; read it with `read`."""
    joined = (
        "string_agg(DISTINCT s.event, ' ')" if dialect == "postgresql" else "group_concat(DISTINCT s.event)"
    )
    # A run that only keeps the record is told of to whoever asked for this very run.
    everybody = f"CASE WHEN substr(run.type, 1, {len(QUIET)}) = '{QUIET}' THEN run.id ELSE '' END"
    return (
        f"(SELECT {joined} FROM {subscription.name} AS s"
        f" WHERE s.tenant_id = run.tenant_id AND s.run_id IN ({everybody}, run.id))"
    )


def read(text: str | None) -> frozenset[str]:
    """The events that `heard` names."""
    return frozenset(text.replace(",", " ").split()) if text else NOBODY


def unheard(events: int, given: Callable[[], str]) -> str:
    """The condition that nobody is told of so many events of a run; its values come from `audience`."""
    if not events:
        return ""
    tenant, some = given(), ", ".join(given() for _ in range(events))
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {subscription.name} AS s WHERE s.tenant_id = {tenant}"
        f" AND s.event IN ({some}) AND s.run_id IN ({given()}, {given()}))"
    )


def audience(tenant: str, run_id: str, type_: str, told: Iterable[str]) -> list[Any]:
    """The values of `unheard` for these types of events."""
    events = list(told)
    everybody = run_id if type_.startswith(QUIET) else ""
    return [tenant, *events, everybody, run_id] if events else []


def told(events: Iterable[EventRow]) -> tuple[str, ...]:
    """The types among these events that somebody may be told of, in one order."""
    return tuple(sorted(told_types(events)))
