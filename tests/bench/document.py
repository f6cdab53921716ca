"""Writes what was measured between the marks in docs/performance.md; the words around it are people's."""

import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.bench.calibration import quiet
from tests.bench.candidates import ALL, SQLITE, Candidate
from tests.bench.processes import ROOT
from tests.bench.profile import Profile
from tests.bench.report import Rounds
from tests.bench.stage import PEERS, Stage
from tests.bench.targets import TARGETS

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"
PACKAGES = ("celery", "kombu", "redis", "hiredis", "psycopg", "SQLAlchemy")
PEER_PACKAGES = ("celery", "kombu", "dbos", "absurd-sdk", "procrastinate", "psycopg")
Row = Sequence[object]


def write(stage: Stage, rounds: Rounds, found: Mapping[str, Any], profiles: Sequence[Profile]) -> None:
    """Replace the figures of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [
        *_machine(stage, rounds),
        "## Targets",
        _table(("target", "bound", "measured", ""), _targets(found)),
        *_figures(found),
        "## Who was measured",
        _table(("candidate", "what", "settings"), _candidates()),
        *_profiles(profiles),
    ]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")


def _machine(stage: Stage, rounds: Rounds) -> list[str]:
    calm = quiet(rounds.calibrations.values())
    rows = [
        (
            *(round_, f"{one.select_us:.0f}", f"{one.commit_us:.0f}", f"{one.loop_ms:.1f}"),
            *(f"{rounds.foreign.get(round_, 0):.0%}", _yes(calm_)),
        )
        for (round_, one), calm_ in zip(rounds.calibrations.items(), calm, strict=True)
    ]
    return [
        "## Machine and rounds",
        f"Command: `scripts/bench {' '.join(_arguments())}`".rstrip(" `") + "`",
        f"{psutil.cpu_count()} processors ({_processor()}), {psutil.virtual_memory().total / 2**30:.0f} GB, "
        f"Linux {platform.release()}, Python {platform.python_version()}. {stage.versions()}.",
        f"Windlass: {_ours()}. Peers: {_peers()}.",
        _table(("round", "SELECT 1, us", "commit, us", "loop, ms", "others, at most", "quiet"), rows),
    ]


def _figures(found: Mapping[str, Any]) -> Iterable[str]:
    for workload, metrics in found.items():
        if workload == "ratios":
            continue
        yield f"## {workload}"
        rows = [_row(metric, name, cell) for metric, cells in metrics.items() for name, cell in cells.items()]
        yield _table(("figure", "candidate", "median", "least", "most", "unit", "CPU s / 1,000 steps"), rows)
    rows = [(f"`{name}`", value) for name, value in found["ratios"].items() if _is_told(name)]
    yield "## Ratios"
    yield _table(("ratio, median over rounds", ""), rows)


def _is_told(ratio: str) -> bool:
    """The page has the ratios to peers of what everybody uses; ``--json`` writes all of them."""
    among_peers = ratio.startswith(("W1.", "W2.", "W3.", "W4.")) and ".cpu-" not in ratio
    return among_peers and "-code-undo/" not in ratio and "-p99" not in ratio


def _row(metric: str, name: str, cell: Mapping[str, Any]) -> Row:
    cpu = "" if cell["cpuPer1000"] is None else f"{cell['cpuPer1000']:g}"
    median, least, most = (f"{cell[which]:g}" for which in ("median", "min", "max"))
    return (metric, name, f"**{median}**", least, most, cell["unit"], cpu)


def _targets(found: Mapping[str, Any]) -> Iterable[Row]:
    for target in TARGETS:
        value = target.found(found)
        if value is not None:
            yield (target.what, target.bound, f"{value:g}", "met" if target.is_met(value) else "**not met**")


def _candidates() -> Iterable[Row]:
    everyone: tuple[Candidate, ...] = (*ALL, *SQLITE)
    return [(one.name, one.what, one.settings) for one in everyone]


def _profiles(profiles: Sequence[Profile]) -> Iterable[str]:
    if profiles:
        yield "## Where the time goes"
        yield "py-spy under W1's load: shares of the samples in which a thread of the process was at work."
    for one in profiles:
        yield f"```\n{one.summary()}\n```"


def _table(heads: Row, rows: Iterable[Row]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _arguments() -> list[str]:
    """The command line without where results go."""
    return [
        word for word in sys.argv[1:] if word != "--write" and not word.endswith(".json") and word != "--json"
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")


def _ours() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES if _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


def _peers() -> str:
    program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    argv = [str(PEERS), "-c", program, *PEER_PACKAGES]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return ", ".join(map(" ".join, zip(PEER_PACKAGES, said.split(), strict=True)))
