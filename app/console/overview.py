"""The overview: runs that need an operator, current work, the last day, and reasons of failures."""

from typing import Any

from app.console import api_client, attention, runs
from app.console.family import pages
from app.console.render import now_ms, render
from app.domain.clock import rfc3339

RUNS = "/v1/workflows/runs"
DAY_MS = 86_400_000
MOST = 8
Object = dict[str, Any]


@pages.page("GET", "/", scope="runs:read")
def overview() -> str:
    """The page, with a row for each of the four."""
    needs = api_client.get(RUNS, needsOperator="true", limit=MOST)
    day = rfc3339(((now_ms() - DAY_MS) // 60_000 + 1) * 60_000)
    measured = api_client.get("/v1/workflows/metrics", since=day, interval="hour").data
    recent = api_client.get(RUNS, since=day, limit=MOST)
    return render(
        "overview.html",
        title="Overview",
        needs=[attention.attended(run) for run in needs.data],
        more=max(0, (needs.pagination.get("total") or 0) - MOST),
        **attention.beside_runs(),
        now_words=_now(),
        measured=measured,
        hours=hours(measured["buckets"]),
        newest=[runs.row(run) for run in recent.data],
        watch=api_client.question(RUNS, {"limit": 20}),
    )


def hours(buckets: list[Object]) -> list[Object]:
    """The endings of each hour, and how many hours ago it was, oldest first."""
    return [{**one["summary"], "ago": len(buckets) - 1 - place} for place, one in enumerate(buckets)]


def _now() -> list[tuple[str, int, bool, str]]:
    """Current work as a few numbers with links; large numbers are estimates."""
    counts = [
        ("running", "running", {"detail": "running"}),
        ("waiting", "waiting", {"detail": "waiting"}),
        ("queued", "queued", {"detail": "queued"}),
        ("waiting for a lock", "lock_waiting", {"detail": "lock_waiting"}),
        ("undoing", "compensating", {"detail": "compensating"}),
    ]
    asked = [(words, *_total(**query), f"/runs?detail={detail}") for words, detail, query in counts]
    locks = api_client.get("/v1/locks", limit=1).pagination.get("total") or 0
    workers = [one for one in api_client.get("/v1/workers").data if one["kind"] == "worker"]
    return [*asked, ("locks held", locks, False, "/locks"), ("worker pools", len(workers), False, "/workers")]


def _total(**query: str) -> tuple[int, bool]:
    """How many runs match, and whether that is an estimate."""
    page = api_client.get(RUNS, **query, limit=1).pagination
    return int(page.get("total") or 0), bool(page.get("totalIsEstimate"))
