"""``scripts/bench``: measure Windlass and its peers in the same sitting, round after round."""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.bench import document, report
from tests.bench.calibration import Foreign, calibrate, slower
from tests.bench.profile import profile
from tests.bench.report import Rounds
from tests.bench.stage import Stage
from tests.bench.workload import Figure, Workload

NAMES = tuple(f"W{number}" for number in range(1, 13))
QUICK_ROUNDS, FULL_ROUNDS = 2, 9


def main() -> int:
    """Measure, print, write; the exit status."""
    asked = _asked()
    with Stage(quick=asked.quick, keep=asked.keep) as stage:
        workloads = [
            import_module(f"tests.bench.{name.lower()}").make(stage)
            for name in asked.only
            if find_spec(f"tests.bench.{name.lower()}")
        ]
        rounds = measure(stage, workloads, asked.rounds, asked.candidates)
        profiles = profile(stage, asked.candidates) if asked.profile else []
        found = report.summary(rounds)
        print(report.table(found), *profiles, sep="\n\n")
        if asked.write:
            document.write(stage, rounds, found, profiles)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def measure(stage: Stage, workloads: list[Workload], count: int, wanted: frozenset[str]) -> Rounds:
    """All rounds: in each the candidates take turns, and the machine is calibrated before and after."""
    rounds = Rounds()
    gauge = stage.database()
    names = [name for workload in workloads for name in workload.candidates if not wanted or name in wanted]
    begun: list[Workload] = []
    try:
        for workload in workloads:
            begun.append(workload)
            workload.setup()
        for round_ in range(1, count + 1):
            before = calibrate(gauge)
            for candidate in in_turn(names, round_):
                for workload in workloads:
                    if candidate in workload.candidates and round_ <= (workload.rounds or count):
                        _measure(rounds, workload, candidate, round_)
            stage.close_session()
            rounds.calibrations[round_] = slower(before, calibrate(gauge))
            _say(f"round {round_} calibration: {rounds.calibrations[round_]}")
    finally:
        for workload in reversed(begun):
            workload.teardown()
    return rounds


def _measure(rounds: Rounds, workload: Workload, candidate: str, round_: int) -> None:
    """One candidate in one round, and what others did meanwhile."""
    foreign, begun = Foreign(), time.monotonic()
    figures = workload.measure(candidate, round_)
    share, took = foreign.share(), time.monotonic() - begun
    rounds.add(workload.name, candidate, round_, figures)
    rounds.disturb(round_, share)
    _say(f"round {round_} {workload.name} {candidate}: {_shown(figures)} (foreign {share:.0%}, {took:.0f} s)")


def in_turn(names: Iterable[str], round_: int) -> list[str]:
    """Every name once; in every second round the last comes first, so that no place is the better one."""
    once = list(dict.fromkeys(names))
    return once if round_ % 2 else once[::-1]


def _shown(figures: list[Figure]) -> str:
    return ", ".join(f"{figure.metric} {figure.value:.4g} {figure.unit}" for figure in figures)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, under ten minutes")
    parser.add_argument("--only", default=",".join(NAMES), help="workloads, such as W1,W2")
    parser.add_argument("--candidates", default="", help="measure these alone, such as windlass,celery-bare")
    parser.add_argument("--rounds", type=int, help=f"{FULL_ROUNDS}, with --quick {QUICK_ROUNDS}")
    parser.add_argument("--json", type=Path, help="write the summary to this file")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    parser.add_argument("--profile", action="store_true", help="profile the hot path, as a full run does")
    parser.add_argument("--keep", action="store_true", help="leave the logs of all processes")
    asked = parser.parse_args()
    asked.only = [name for name in asked.only.split(",") if name]
    asked.candidates = frozenset(name for name in asked.candidates.split(",") if name)
    asked.profile = asked.profile or asked.only == list(NAMES)
    asked.rounds = asked.rounds or (QUICK_ROUNDS if asked.quick else FULL_ROUNDS)
    unknown = set(asked.only) - set(NAMES)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
