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
MOST_BUCKETS = 1_000
INTERVALS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 7 * 86_400_000}


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
    if period.type is None:
        found["byType"] = _by_type(endings)
    if "interval" in query:
        found |= {
            "interval": query["interval"],
            "buckets": _buckets(tx, period, INTERVALS[query["interval"]]),
        }
    if query.get("breakdown"):
        found |= _breakdown(tx, period)
    return found


def _buckets(tx: Tx, period: Period, interval_ms: int) -> list[dict[str, object]]:
    """The parts of the period, the first one first; those in which nothing ended too."""
    count = -(-(period.until - period.since) // interval_ms)
    if count > MOST_BUCKETS:
        problem = f"There would be {count} of them, and {MOST_BUCKETS} are allowed: shorten the period"
        raise ValidationFailed.of("interval", problem)
    parts: dict[int, list[Row]] = {}
    for row in metrics.endings_by_time(tx, period, interval_ms):
        parts.setdefault(int(row["part"]), []).append(row)
    return [
        {"from": rfc3339(period.since + n * interval_ms), **_counts_and_times(parts.get(n, ()))}
        for n in range(count)
    ]


def _breakdown(tx: Tx, period: Period) -> dict[str, object]:
    """Reasons by step and by resource, and how long the steps of the type took lately."""
    by_step = metrics.failures(tx, period, "error_step")
    by_resource = metrics.failures(tx, period, "resource_id")
    times = metrics.step_times(tx, period.type) if period.type else {}
    return {
        "failuresByStep": [
            {"step": row["about"], "code": row["code"], "count": row["runs"]} for row in by_step
        ],
        "failuresByResource": [
            {"resourceId": row["about"], "code": row["code"], "count": row["runs"]} for row in by_resource
        ],
        "steps": [{"step": key, "runs": len(took), **_timing(took)} for key, took in times.items()],
    }


def _by_type(endings: Sequence[Row]) -> list[dict[str, object]]:
    types: dict[str, list[Row]] = {}
    for row in endings:
        types.setdefault(row["type"], []).append(row)
    return [{"type": name, **_counts_and_times(rows)} for name, rows in sorted(types.items())]


def _counts_and_times(endings: Sequence[Row]) -> dict[str, object]:
    took = sorted(ms for row in endings for ms in row["took"] or ())
    return {"summary": _summary(endings), "timing": _timing(took)}


def _summary(endings: Sequence[Row]) -> dict[str, object]:
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


def _reasons(endings: Sequence[Row]) -> list[dict[str, object]]:
    """Why runs failed, the most frequent first."""
    counts = Counter[str]()
    for row in endings:
        if row["code"] is not None:
            counts[row["code"]] += row["runs"]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"code": code, "count": count} for code, count in ordered]
