"""From figures of rounds to a summary: median, least and most, CPU per 1,000 steps, ratios inside rounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.calibration import Calibration, quiet
from tests.bench.targets import TARGETS
from tests.bench.workload import Figure

OURS = "windlass"


@dataclass
class Rounds:
    """Everything that was measured."""

    calibrations: dict[int, Calibration] = field(default_factory=dict)  # By round.
    foreign: dict[int, float] = field(default_factory=dict)  # By round: the most that others used meanwhile.
    figures: dict[tuple[str, str, str], dict[int, Figure]] = field(default_factory=dict)

    def add(self, workload: str, candidate: str, round_: int, figures: Sequence[Figure]) -> None:
        """Keep what one measurement gave."""
        for figure in figures:
            self.figures.setdefault((workload, figure.metric, candidate), {})[round_] = figure

    def disturb(self, round_: int, share: float) -> None:
        """Others used this share of the machine while a figure of the round was taken."""
        self.foreign[round_] = max(share, self.foreign.get(round_, 0.0))

    def quiet(self) -> frozenset[int]:
        """The rounds in which absolute figures hold."""
        numbers = list(self.calibrations)
        return frozenset(
            number for number, calm in zip(numbers, quiet(self.calibrations.values()), strict=True) if calm
        )


def summary(rounds: Rounds) -> dict[str, Any]:
    """What ``--json`` writes: workload, metric, candidate, and the ratios of ours to every peer."""
    found: dict[str, Any] = {}
    for (workload, metric, candidate), by_round in sorted(rounds.figures.items()):
        cell = _cell(by_round, rounds.quiet())
        found.setdefault(workload, {}).setdefault(metric, {})[candidate] = cell
    found["ratios"] = _ratios(rounds)
    return found


def _cell(by_round: Mapping[int, Figure], calm: frozenset[int]) -> dict[str, Any]:
    """Median, least and most over the quiet rounds, or over all when none of them was quiet."""
    chosen = [figure for round_, figure in by_round.items() if round_ in calm] or list(by_round.values())
    values = [figure.value for figure in chosen]
    cpu = [figure.cpu_per_1000 for figure in chosen if figure.cpu_per_1000 is not None]
    return {
        "median": _short(median(values)),
        "min": _short(min(values)),
        "max": _short(max(values)),
        "unit": chosen[0].unit,
        "cpuPer1000": _short(median(cpu)) if cpu else None,
    }


def _ratios(rounds: Rounds) -> dict[str, float]:
    """Ours to a peer's of the same round, the median over rounds: noise between rounds cancels out."""
    ratios = {}
    for (workload, metric, ours), mine in sorted(rounds.figures.items()):
        if not ours.startswith(OURS):
            continue
        for (other_workload, other_metric, peer), theirs in sorted(rounds.figures.items()):
            if (other_workload, other_metric) != (workload, metric) or not _compare(ours, peer):
                continue
            both = sorted(mine.keys() & theirs.keys())
            pairs = [(mine[n], theirs[n]) for n in both]
            name = f"{workload}.{metric}"
            values = [a.value / b.value for a, b in pairs if b.value]
            costs = [a.cpu_per_1000 / b.cpu_per_1000 for a, b in pairs if a.cpu_per_1000 and b.cpu_per_1000]
            if values:
                ratios[f"{name}.{ours}/{peer}"] = _short(median(values))
            if costs:
                ratios[f"{name}.cpuPer1000.{ours}/{peer}"] = _short(median(costs))
    return ratios


def _compare(ours: str, peer: str) -> bool:
    """Whether the ratio is meaningful: ours to a peer, or ours in another state to ours as it is."""
    return peer == OURS != ours or peer == f"{ours}-alone" or not peer.startswith(OURS)


def _short(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def table(found: Mapping[str, Any]) -> str:
    """The summary as aligned text."""
    lines = []
    for workload, metrics in found.items():
        if workload == "ratios":
            continue
        for metric, cells in metrics.items():
            unit = next(iter(cells.values()))["unit"]
            lines.append(f"{workload} {metric} ({unit})")
            for name, cell in cells.items():
                cpu = "" if cell["cpuPer1000"] is None else f"   {cell['cpuPer1000']:g} CPU s / 1,000 steps"
                spread = f"{cell['min']:g} / {cell['median']:g} / {cell['max']:g}"
                lines.append(f"    {name:<18} {spread:<28}{cpu}")
    lines += ["targets", *(f"    {line}" for line in _kept(found))]
    lines += ["ratios"] + [f"    {name:<60} {value:g}" for name, value in found["ratios"].items()]
    return "\n".join(lines)


def _kept(found: Mapping[str, Any]) -> Iterator[str]:
    for target in TARGETS:
        value = target.found(found)
        if value is not None:
            met = "met" if target.is_met(value) else "NOT MET"
            yield f"{target.what:<50} {value:<8g} {target.bound:<16} {met}"
