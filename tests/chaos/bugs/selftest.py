"""The checker proves itself: every planted bug is caught, and healthy runs of the same scenarios are not.

``python -m tests.chaos --selftest``; two sites run side by side. The table is what ``docs/reliability.md``
shows.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from tests.chaos import campaign, plans
from tests.chaos.apps import campaign as apps
from tests.chaos.bugs.catalogue import BUGS, RULES
from tests.chaos.bugs.of_apps import APPS
from tests.chaos.bugs.of_batches import BATCHES
from tests.chaos.bugs.plant import ROOT, TESTED, Bug, planted
from tests.chaos.bugs.scenarios import SCENARIOS, Scenario
from tests.chaos.bugs.stage import Missed, Stage
from tests.chaos.fault import POSTGRES, Setting
from tests.chaos.site import Site

SEED = 1
ROW_S = 20.0  # How long the storm of a row with a bug lasts.
BESIDE = 2  # Sites at a time.
AGAIN = ("failing", "hooks", "refused", "locks", "API dies")  # Played a second time on a healthy service.
MOST_SHOWN = 3
MACHINE = "tests/integration/engine/test_machine.py"
BROKEN = 1  # What pytest ends with when a test has failed.


@dataclass(kw_only=True)
class Verdict:
    """What came out of one scenario."""

    scenario: str
    bug: str = ""  # Empty on a healthy service.
    expected: str = ""  # The invariant that must name the bug.
    numbers: list[str] = field(default_factory=list)  # The invariants that were broken.
    findings: list[str] = field(default_factory=list)  # The first of them, in words.
    faults: int = 0
    missed: str = ""  # A fault that could not be done.
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the bug was named, or a healthy service left alone."""
        if self.missed:
            return False
        if self.bug:
            return self.expected in self.numbers
        return not self.numbers and (self.faults > 0 or SCENARIOS[self.scenario].faultless)

    def __str__(self) -> str:
        what = f"{self.bug or 'healthy'}, {self.scenario}: "
        found = ", ".join(dict.fromkeys(self.numbers)) or "nothing found"
        missed = f"; {self.missed}" if self.missed else ""
        return f"{'ok    ' if self.passed else 'FAILED'} {self.seconds:5.0f} s  {what}{found}{missed}"


def play(site: Site, scenario: Scenario, seed: int, bug: Bug | None = None) -> Verdict:
    """Play a scenario on a running site, and run the checker."""
    began, missed = time.monotonic(), ""
    stage = Stage(site, scenario.name, seed)
    try:
        try:
            scenario.play(stage)
        except Missed as reason:
            missed = str(reason)
        # How long something took is not judged: the machine may be busy.
        found = [one for one in stage.verdict() if one.number not in campaign.TIMES]
    finally:
        stage.close()
    return Verdict(
        scenario=scenario.name,
        bug=bug.name if bug else "",
        expected=bug.caught_by if bug else "",
        numbers=[one.number for one in found],
        findings=[str(one) for one in found[:MOST_SHOWN]],
        faults=len(stage.injections),
        missed=missed,
        seconds=time.monotonic() - began,
    )


def bugged(bug: Bug, folder: Path, seed: int) -> list[Verdict]:
    """Run the service with the bug in it, and play the scenario that shows it."""
    scenario, tree = SCENARIOS[bug.scenario], planted(bug, folder / "tree")
    began = time.monotonic()
    with Site(POSTGRES, folder / "site", tree=tree, setting=scenario.setting) as site:
        verdict = play(site, scenario, seed, bug)
    verdict.seconds = time.monotonic() - began
    return [verdict]


def by_row(bug: Bug, folder: Path, seed: int) -> list[Verdict]:
    """Run the row of apps, or of batches, that shows the bug."""
    tree, began = planted(bug, folder / "tree"), time.monotonic()
    plan = replace(plans.row(bug.scenario, seed, POSTGRES, ROW_S), tree=tree)
    played = apps.run if bug.scenario in plans.APPS else campaign.run
    result = played(plan, folder / "site", lambda _text: None)
    return [
        Verdict(
            scenario=bug.scenario,
            bug=bug.name,
            expected=bug.caught_by,
            numbers=[one.number for one in result.findings],
            findings=[str(one) for one in result.findings[:MOST_SHOWN]],
            faults=result.injected.total(),
            seconds=time.monotonic() - began,
        )
    ]


def healthy(names: Sequence[str], folder: Path, seed: int) -> list[Verdict]:
    """Play scenarios one after the other on one service without any bug."""
    with Site(POSTGRES, folder / "site", tree=ROOT, setting=joined(names)) as site:
        return [play(site, SCENARIOS[name], seed) for name in names]


def by_machine(bug: Bug, folder: Path) -> list[Verdict]:
    """Let the random machine of the engine's tests meet the bug."""
    tree, began = planted(bug, folder / "machine", *TESTED), time.monotonic()
    words = ["-m", "pytest", "-q", "-x", "-p", "tests.chaos.bugs.hasty", MACHINE]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line.strip() for line in done.stdout.splitlines() if line.startswith("E  ")]
    return [
        Verdict(
            scenario="the random machine",
            bug=bug.name,
            expected="machine",
            numbers=["machine"] if done.returncode == BROKEN and errors else [],
            findings=errors[:MOST_SHOWN],
            seconds=time.monotonic() - began,
        )
    ]


def joined(names: Iterable[str]) -> Setting:
    """One setting for several scenarios."""
    settings = [SCENARIOS[name].setting for name in names]
    inside = dict.fromkeys(module for one in settings for module in one.inside)
    env = {name: value for one in settings for name, value in one.env.items()}
    return Setting(
        inside=tuple(inside),
        env=env,
        code=any(one.code for one in settings),
        proxied=any(one.proxied for one in settings),
    )


def run(
    bugs: Sequence[Bug],
    rules: Sequence[Bug],
    rows: Sequence[Bug],
    clean: Sequence[Sequence[str]],
    folder: Path,
    seed: int,
    say: Callable[[str], None],
) -> list[Verdict]:
    """Everything, two sites at a time."""
    found: list[Verdict] = []
    with ProcessPoolExecutor(BESIDE, get_context("spawn"), initializer=_alone) as pool:
        jobs: list[Future[list[Verdict]]] = [
            pool.submit(healthy, names, folder / f"healthy-{n}", seed + n) for n, names in enumerate(clean)
        ]
        jobs += [pool.submit(bugged, bug, folder / bug.name.replace(" ", "-"), seed) for bug in bugs]
        jobs += [pool.submit(by_machine, bug, folder / bug.name.replace(" ", "-")) for bug in rules]
        jobs += [pool.submit(by_row, bug, folder / bug.name.replace(" ", "-"), seed) for bug in rows]
        for job in as_completed(jobs):
            for verdict in job.result():
                say(str(verdict))
                if not verdict.passed:
                    for one in verdict.findings:
                        say(f"         ! {one}")
                found.append(verdict)
    return found


def _alone() -> None:
    """Ctrl-C is for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.pop("CHAOS_INSIDE", None)


def table(verdicts: Sequence[Verdict]) -> str:
    """The bugs and what caught them, for the docs."""
    bugs = {bug.name: bug for bug in (*BUGS, *RULES, *APPS, *BATCHES)}
    lines = [
        "| Planted bug | What it breaks | Scenario | Caught by | Seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in sorted((one for one in verdicts if one.bug), key=lambda one: list(bugs).index(one.bug)):
        about = SCENARIOS[one.scenario].about if one.scenario in SCENARIOS else one.scenario
        caught = ", ".join(f"`{number}`" for number in dict.fromkeys(one.numbers))
        words = (
            one.bug,
            bugs[one.bug].breaks,
            about,
            caught if one.passed else "NOT CAUGHT",
            f"{one.seconds:.0f}",
        )
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """The two figures that count."""
    bugs = [one for one in verdicts if one.bug]
    clean = [one for one in verdicts if not one.bug]
    caught, alarms = sum(one.passed for one in bugs), sum(not one.passed for one in clean)
    return (
        f"{caught} of {len(bugs)} planted bugs caught, {alarms} false alarms in {len(clean)} healthy runs, "
        f"{seconds / 60:.1f} minutes"
    )


def _chosen(
    only: Sequence[str] | None,
) -> tuple[Sequence[Bug], Sequence[Bug], Sequence[Bug], Sequence[Sequence[str]]]:
    """Bugs, bugs for the random machine, for rows of apps, and healthy plays: all, or of some scenarios."""
    asked = [bug for bug in BUGS if not only or {bug.scenario, bug.name}.intersection(only)]
    names = [name for name in SCENARIOS if not only or name in only or name in {b.scenario for b in asked}]
    together = [name for name in names if not SCENARIOS[name].alone]
    clean = (together, [] if only else AGAIN, *([name] for name in names if SCENARIOS[name].alone))
    rows = [bug for bug in (*APPS, *BATCHES) if not only or {bug.scenario, bug.name}.intersection(only)]
    rules = [bug for bug in RULES if not only or bug.name in only]
    return asked, rules, rows, [some for some in clean if some]


def main(asked: Namespace) -> int:
    """Plant every bug; 0 when all were caught and nothing healthy was blamed."""
    seed = asked.seed if asked.seed is not None else SEED
    folder = Path(asked.folder) if asked.folder else Path(tempfile.mkdtemp(prefix="windlass-selftest-"))
    began = time.monotonic()
    bugs, rules, rows, clean = _chosen(asked.only)
    verdicts = run(bugs, rules, rows, clean, folder, seed, lambda text: print(text, flush=True))
    print(table(verdicts))
    print(summary(verdicts, time.monotonic() - began))
    if asked.json:
        Path(asked.json).write_text(json.dumps([asdict(one) for one in verdicts], indent=2) + "\n")
    return 0 if all(one.passed for one in verdicts) else 1
