"""Metrics from their rows (contract 1, A.7)."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.clock import rfc3339
from app.record import metrics
from app.record.metrics import Period, Row
from app.record.session import Tx

WINDOW_MS = 30 * 86_400_000
TIMES = ("p50Ms", "p90Ms", "p99Ms", "avgMs")


def measured(tx: Tx, query: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a period; without a type those of all types and of each."""
    until = query.get("until", tx.now)
    period = Period(since=query.get("since", until - WINDOW_MS), until=until, type=query.get("type"))
    endings = metrics.endings(tx, period)
    overall = metrics.durations(tx, period, by_type=False).get(None, {})
    found = {
        "type": period.type,
        "period": {"from": rfc3339(period.since), "to": rfc3339(period.until)},
        "summary": _summary(endings),
        "timing": _timing(overall),
        "failureReasons": metrics.failures(tx, period),
    }
    return found if period.type is not None else {**found, "byType": _by_type(tx, period, endings)}


def _by_type(tx: Tx, period: Period, endings: list[Row]) -> list[dict[str, Any]]:
    durations = metrics.durations(tx, period, by_type=True)
    return [
        {
            "type": name,
            "summary": _summary(row for row in endings if row["type"] == name),
            "timing": _timing(durations.get(name, {})),
        }
        for name in sorted({row["type"] for row in endings})
    ]


def _summary(endings: Iterable[Row]) -> dict[str, Any]:
    counts = {"completed": 0, "failed": 0, "cancelled": 0}
    for row in endings:
        counts[row["status"]] += row["runs"]
    total = sum(counts.values())
    return {"total": total, **counts, "successRate": round(counts["completed"] / total, 2) if total else None}


def _timing(found: Mapping[str, int]) -> dict[str, int | None]:
    return {name: found.get(name) for name in TIMES}
