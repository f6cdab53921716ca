"""Where the time goes: py-spy samples a pool process, the worker main, the driver and the API under load."""

import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.asking import ORDER, RUNS, answering, post
from tests.bench.processes import ROOT
from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.w4 import CLIENTS, WARM

PY_SPY = ROOT / ".venv-bench" / "bin" / "py-spy"
RATE, SECONDS = 200, 6
TOP = 15  # Functions listed.
LEAST, TRUNK = 0.03, 0.9  # Branches of the tree below this share, and the trunk above that, are left out.
Stack = tuple[str, ...]
# Who can be looked at, and what the worker main calls itself that does the steps.
MAINS = {"windlass": "default@%h", "windlass-code": "workflows@%h", "windlass-code-undo": "workflows@%h"}
DEFAULT = ("windlass", "windlass-code")


@dataclass(frozen=True)
class Profile:
    """The samples of one process."""

    name: str
    stacks: Mapping[Stack, int]

    @property
    def samples(self) -> int:
        """How often any thread was found at work."""
        return sum(self.stacks.values())

    def summary(self) -> str:
        """The functions that most of the time is spent in."""
        busy = self.samples / (RATE * SECONDS)
        lines = [f"{self.name}: at work in {busy:.0%} of {RATE * SECONDS} looks", "  self    total  function"]
        own, total = self._own(), self._total()
        for frame, count in own.most_common(TOP):
            lines.append(f"  {self._share(count)}  {self._share(total[frame])}  {frame}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join([self.summary(), "  tree (total share)", *self._tree(self._trunk(), 1)])

    def _own(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            counts[stack[-1]] += count
        return counts

    def _total(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            for frame in set(stack):
                counts[frame] += count
        return counts

    def _trunk(self) -> Stack:
        """The frames that nearly every sample goes through, from the outermost on."""
        above: Stack = ()
        while below := self._below(above).most_common(1):
            frame, count = below[0]
            if count < TRUNK * self.samples:
                break
            above = (*above, frame)
        return above

    def _below(self, above: Stack) -> Counter[str]:
        found: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            if len(stack) > len(above) and stack[: len(above)] == above:
                found[stack[len(above)]] += count
        return found

    def _tree(self, above: Stack, depth: int) -> Iterable[str]:
        for frame, count in self._below(above).most_common():
            if count >= LEAST * self.samples:
                yield f"  {self._share(count)} {' ' * depth}{frame}"
                yield from self._tree((*above, frame), depth + 1)

    def _share(self, count: int) -> str:
        return f"{count / max(1, self.samples):6.1%}"


def profile(stage: Stage, wanted: Collection[str] = ()) -> list[Profile]:
    """Profiles of each of ours that is wanted; of declared and of code workflows when none is named."""
    chosen = [name for name in MAINS if name in (wanted or DEFAULT)]
    found = [one for name in chosen for one in _profiles(stage, name)]
    return [*found, _api(stage)] if "windlass" in chosen else found


def _profiles(stage: Stage, candidate: str) -> list[Profile]:
    """The processes on the hot path while no-op runs are worked off."""
    session = stage.session(candidate)
    session.burst(max(60, round(session.rate / 5)))
    watched = {name: _watch(stage.scratch() / "stacks", process) for name, process in _hot(session).items()}
    runs = max(60, round(session.rate / 5 * (SECONDS + 3)))
    session.burst(runs)
    return [Profile(f"{candidate}, {name}", _stacks(*found)) for name, found in watched.items()]


def _api(stage: Stage) -> Profile:
    """One of the API's processes under W4's load."""
    stage.close_session()
    settings = stage.settings()
    with answering(stage.api(settings), settings.port) as server:
        post(settings.port, RUNS, ORDER, clients=max(CLIENTS), count=WARM)
        one = next(process for process in server.family() if not process.children())
        spy, file = _watch(stage.scratch() / "stacks", one)
        while spy.poll() is None:
            post(settings.port, RUNS, ORDER, clients=max(CLIENTS), count=WARM)
    return Profile("windlass, API", _stacks(spy, file))


def _hot(session: Session) -> dict[str, psutil.Process]:
    """The processes that a no-op run passes through."""
    family = session.workers[0].family()
    main = next(one for one in family if MAINS[session.candidate.name] in one.cmdline())
    return {
        "pool child": main.children()[0],
        "worker main": main,
        "driver": psutil.Process(session.drivers[0].pid),
    }


def _watch(file: Path, process: psutil.Process) -> tuple["subprocess.Popen[bytes]", Path]:
    argv = [PY_SPY, "record", "--pid", str(process.pid), "--format", "raw", "--output", file]
    options = ["--rate", str(RATE), "--duration", str(SECONDS), "--nonblocking"]
    spy = subprocess.Popen(
        [*map(str, argv), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return spy, file


def _stacks(spy: "subprocess.Popen[bytes]", file: Path) -> dict[Stack, int]:
    _, said = spy.communicate(timeout=60)
    if not file.exists():
        raise RuntimeError(f"py-spy saw nothing: {said.decode()[-500:]}")
    stacks: Counter[Stack] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(_short(frame) for frame in stack.split(";"))] += int(count)
    return dict(stacks)


def _short(frame: str) -> str:
    """``function (file.py)`` without the line, so that one function is one frame."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.partition(':')[0].rstrip(')')})" if place else name
