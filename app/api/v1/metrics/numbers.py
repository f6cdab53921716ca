"""Metrics from the endings of a period (contracts/runs.rst#metrics)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.clock import rfc3339
from app.domain.errors import ValidationFailed
from app.record.runs import metrics
from app.record.runs.metrics import Period, Row
from app.record.session import Tx

WINDOW_MS = 30 * 86_400_000
PERCENTS = (50, 90, 99)


def measured(tx: Tx, query: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a period; without a type those of all types and of each."""
    until = query.get("until", tx.now)
    if query.get("since", until) > until:
        raise ValidationFailed.of("since", "Must not be later than now, or than until")
    period = Period(since=query.get("since", until - WINDOW_MS), until=until, type=query.get("type"))
    endings = metrics.endings(tx, period)
    found = {
        "type": period.type,
        "period": {"from": rfc3339(period.since), "to": rfc3339(period.until)},
        **_counts_and_times(endings),
        "failureReasons": _reasons(endings),
    }
    return found if period.type is not None else {**found, "byType": _by_type(endings)}


def _by_type(endings: Sequence[Row]) -> list[dict[str, Any]]:
    types: dict[str, list[Row]] = {}
    for row in endings:
        types.setdefault(row["type"], []).append(row)
    return [{"type": name, **_counts_and_times(rows)} for name, rows in sorted(types.items())]


def _counts_and_times(endings: Sequence[Row]) -> dict[str, Any]:
    took = sorted(ms for row in endings for ms in row["took"] or ())
    return {"summary": _summary(endings), "timing": _timing(took)}


def _summary(endings: Sequence[Row]) -> dict[str, Any]:
    counts = {"completed": 0, "failed": 0, "cancelled": 0}
    for row in endings:
        counts[row["status"]] += row["runs"]
    total = sum(counts.values())
    return {"total": total, **counts, "successRate": round(counts["completed"] / total, 2) if total else None}


def _timing(took: Sequence[int]) -> dict[str, int | None]:
    """Percentiles by nearest rank, and the mean, of sorted milliseconds."""
    ranks = {f"p{percent}Ms": (len(took) * percent + 99) // 100 - 1 for percent in PERCENTS}
    times = {name: took[rank] if took else None for name, rank in ranks.items()}
    return {**times, "avgMs": round(sum(took) / len(took)) if took else None}


def _reasons(endings: Sequence[Row]) -> list[dict[str, Any]]:
    """Why runs failed, the most frequent first."""
    counts = Counter[str]()
    for row in endings:
        if row["code"] is not None:
            counts[row["code"]] += row["runs"]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"code": code, "count": count} for code, count in ordered]
