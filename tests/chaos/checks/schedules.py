"""What schedules promise: each due time has one run, or a reason why it has none."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.chaos.checks.evidence import Evidence, Finding, Row


def once(evidence: Evidence) -> Iterator[Finding]:
    """Runs and due times of a schedule belong together one by one, and no due time is left out."""
    occurrences: dict[str, list[Row]] = defaultdict(list)
    for one in evidence.occurrences:
        occurrences[one["schedule_id"]].append(one)
    for row in evidence.schedules:
        yield from _paired(evidence, row, occurrences[row["id"]])
        yield from _complete(row, occurrences[row["id"]])


def _paired(evidence: Evidence, row: Row, occurrences: Sequence[Row]) -> Iterator[Finding]:
    actor = f"schedule/{row['id']}"
    runs = Counter(run_id for run_id, run in evidence.runs.items() if run["triggered_by"] == actor)
    noted = Counter(one["run_id"] for one in occurrences if one["outcome"] == "started")
    for run_id in sorted(runs.keys() | noted.keys()):
        if (runs[run_id], noted[run_id]) != (1, 1):
            what = f"{runs[run_id]} times a run, {noted[run_id]} times a due time of {row['name']}"
            yield Finding(number="schedule", run_id=run_id, what=what)


def _complete(row: Row, occurrences: Sequence[Row]) -> Iterator[Finding]:
    due = (row["next_due_at"] - row["anchor_at"]) // row["every_ms"] - 1
    known = sum(one["times"] for one in occurrences if not one["manual"])
    if due != known:
        what = f"{row['name']} was due {due} times and knows of {known}"
        yield Finding(number="schedule", what=what)
