"""``python -m tests.chaos``: campaigns against the real system.

See ``scripts/chaos --help`` and docs/reliability.md.

Exits with 0 when nothing was found, 1 when something was, 2 when the arguments make no sense.
"""

import argparse
import importlib
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.domain.clock import duration_ms
from tests.chaos import plans, report
from tests.chaos.apps import campaign as apps
from tests.chaos.campaign import Plan, Result, run
from tests.chaos.fault import BOTH, POSTGRES, SQLITE, faults
from tests.chaos.schedule import schedule

SEEDS = 3


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit status."""
    asked = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # The site is taken down on the way out.
    if asked.selftest:
        return _selftest(asked)
    chosen = list(_plans(asked))
    if asked.show:
        return _show(chosen)
    top = Path(asked.folder) if asked.folder else Path(tempfile.mkdtemp(prefix="windlass-chaos-"))
    results = [_run(plan, top / f"{plan.name}-{plan.backend}-{plan.seed}") for plan in chosen]
    print(report.table(results))
    if asked.json:
        report.save(results, Path(asked.json))
    return 0 if all(one.passed for one in results) else 1


def _run(plan: Plan, folder: Path) -> Result:
    print(f"== {plan.name} on {plan.backend}, seed {plan.seed}", flush=True)
    play = apps.run if plan.setting.apps else run
    result = play(plan, folder, lambda text: print(text, flush=True))
    print(report.verdict(result), flush=True)
    return result


def _plans(asked: argparse.Namespace) -> Iterator[Plan]:
    """The campaigns that the arguments name."""
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1_000_000)
    backends = BOTH if asked.backend is None else (asked.backend,)
    for backend in backends:
        if asked.row:
            known = [name for name in asked.row if any(name in one.rows for one in faults(backend).values())]
            yield from (plans.row(name, seed, backend, asked.seconds or 75) for name in known)
        elif asked.full:
            yield plans.full(seed, backend)
        elif asked.campaign:
            seeds = range(seed, seed + (asked.seeds if backend == POSTGRES else 1))
            yield from (plans.mass(one, backend) for one in seeds)
        elif asked.soak:
            yield plans.soak(seed, backend, duration_ms(asked.soak) / 1000)
        else:
            yield plans.smoke(seed, backend)


def _show(chosen: Sequence[Plan]) -> int:
    """Print the schedules instead of running them."""
    for plan in chosen:
        print(f"== {plan.name} on {plan.backend}, seed {plan.seed}")
        for strike in schedule(plan.seed, plan.beats, faults(plan.backend), plan.seconds or 600):
            print(strike)
    return 0


def _selftest(asked: argparse.Namespace) -> int:
    """The bugs are planted by `tests.chaos.bugs`, whose `main` takes the same arguments."""
    return int(importlib.import_module("tests.chaos.bugs.selftest").main(asked))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Faults on purpose, and a verdict.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--smoke", action="store_true", help="2 to 4 minutes on both stacks (the default)")
    kind.add_argument("--full", action="store_true", help="30 minutes: every row on both stacks")
    kind.add_argument("--campaign", action="store_true", help="10,000 runs x 3 seeds, and 2,000 on SQLite")
    kind.add_argument(
        "--soak", metavar="TIME", help="so long (2h) at a low rate; memory and tables are judged"
    )
    kind.add_argument(
        "--row", action="append", metavar="ROW", help="one row alone, such as RF6; may be repeated"
    )
    kind.add_argument(
        "--selftest", action="store_true", help="planted bugs must be caught, clean runs must pass"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="--selftest with this scenario alone; may be repeated"
    )
    parser.add_argument(
        "--seed", type=int, help="repeats the schedule and the workload of an earlier campaign"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds --campaign takes (3)")
    parser.add_argument("--backend", choices=(POSTGRES, SQLITE), help="one stack alone")
    parser.add_argument("--seconds", type=float, help="how long the storm of a row lasts (75)")
    parser.add_argument("--show", action="store_true", help="print the schedule of faults and run nothing")
    parser.add_argument("--folder", help="where the evidence is kept (a new folder for temporary files)")
    parser.add_argument("--json", metavar="FILE", help="write the results to a file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
