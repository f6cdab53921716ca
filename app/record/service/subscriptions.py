"""Webhook subscriptions to a run's events, as parts of the statements of the fast path.

A subscription is for all runs (its ``run_id`` is empty) or for one. A transition reads only those for its own
run and the types of events that it writes, so that other subscriptions cost it nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any

from app.domain.events import QUIET, told_types
from app.domain.rows.runs import EventRow
from app.record.tables import subscription

NOBODY: frozenset[str] = frozenset()


def subscribed(dialect: str) -> str:
    """An expression: the types of events of this ``run`` that are subscribed to, as one text for `read`."""
    joined = (
        "string_agg(DISTINCT s.event, ' ')" if dialect == "postgresql" else "group_concat(DISTINCT s.event)"
    )
    # Events of runs that only keep the record (sync.*) go to subscriptions for this very run alone.
    everybody = f"CASE WHEN substr(run.type, 1, {len(QUIET)}) = '{QUIET}' THEN run.id ELSE '' END"
    return (
        f"(SELECT {joined} FROM {subscription.name} AS s"
        f" WHERE s.tenant_id = run.tenant_id AND s.run_id IN ({everybody}, run.id))"
    )


def read(text: str | None) -> frozenset[str]:
    """The events that `subscribed` names."""
    return frozenset(text.replace(",", " ").split()) if text else NOBODY


def unsubscribed(events: int, given: Callable[[], str]) -> str:
    """The condition that none of so many types of events is subscribed to; `values_of` gives its values."""
    if not events:
        return ""
    tenant, some = given(), ", ".join(given() for _ in range(events))
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {subscription.name} AS s WHERE s.tenant_id = {tenant}"
        f" AND s.event IN ({some}) AND s.run_id IN ({given()}, {given()}))"
    )


def values_of(tenant: str, run_id: str, type_: str, told: Iterable[str]) -> list[Any]:
    """The values of `unsubscribed` for these types of events."""
    events = list(told)
    everybody = run_id if type_.startswith(QUIET) else ""
    return [tenant, *events, everybody, run_id] if events else []


def public_types(events: Iterable[EventRow]) -> tuple[str, ...]:
    """The types of these events that webhooks may subscribe to, in a fixed order."""
    return tuple(sorted(told_types(events)))
