"""Overview: what needs somebody, what goes on, how the last day went, and why runs failed."""

from typing import Any

from app.console import ask, attention, runs
from app.console.family import pages
from app.console.render import now_ms, render
from app.console.spans import parse
from app.domain.clock import rfc3339

RUNS = "/v1/workflows/runs"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MOST = 8
SAMPLE = 100
Object = dict[str, Any]


@pages.page("GET", "/", scope="runs:read")
def overview() -> str:
    """Four questions, in rows."""
    needs = ask.get(RUNS, needsOperator="true", limit=MOST)
    day = rfc3339((now_ms() - DAY_MS) // 60_000 * 60_000)
    measured = ask.get("/v1/workflows/metrics", since=day).data
    recent = ask.get(RUNS, since=day, limit=SAMPLE)
    return render(
        "overview.html",
        title="Overview",
        needs=[attention.attended(run) for run in needs.data],
        more=max(0, (needs.pagination.get("total") or 0) - MOST),
        **attention.beside_runs(),
        now_words=_now(),
        measured=measured,
        hours=hours(recent.data, now_ms()),
        sampled=(recent.pagination.get("total") or 0) > SAMPLE,
        newest=[runs.row(run) for run in recent.data[:MOST]],
        watch=ask.question(RUNS, {"limit": 20}),
    )


def hours(rows: list[Object], now: int) -> list[Object]:
    """The endings of the last day by hour, oldest first."""
    found = [{"completed": 0, "failed": 0, "ago": 23 - place} for place in range(24)]
    for run in rows:
        ended = parse(run["completedAt"])
        if ended is not None and now - ended < DAY_MS and run["status"] in ("completed", "failed"):
            found[23 - (now - ended) // HOUR_MS][run["status"]] += 1
    return found


def _now() -> list[tuple[str, int, str]]:
    """What goes on, in a few numbers that are links."""
    counts = [
        ("running", "running", {"detail": "running"}),
        ("waiting", "waiting", {"detail": "waiting"}),
        ("queued", "queued", {"detail": "queued"}),
        ("waiting for a lock", "lock_waiting", {"detail": "lock_waiting"}),
        ("undoing", "compensating", {"detail": "compensating"}),
    ]
    asked = [(words, _total(**query), f"/runs?detail={detail}") for words, detail, query in counts]
    locks = ask.get("/v1/locks", limit=1).pagination.get("total") or 0
    workers = [one for one in ask.get("/v1/workers").data if one["kind"] == "worker"]
    return [*asked, ("locks held", locks, "/locks"), ("worker pools", len(workers), "/workers")]


def _total(**query: str) -> int:
    return int(ask.get(RUNS, **query, limit=1).pagination.get("total") or 0)
