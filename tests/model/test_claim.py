"""Spin tries every order of claims, deaths, freezes and messages: on the model, and on models with a defect.

The model is ``claim.pml``. Larger bounds than these are a switch away: ``-DMISHAPS=2``, ``-DWORKERS=3``.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import needs

MODEL = Path(__file__).with_name("claim.pml")
MISSING = [name for name in ("spin", "gcc") if shutil.which(name) is None]
MISSING += [] if Path("/usr/include/stdio.h").exists() else ["libc6-dev"]
DEEPEST = 100_000  # Steps of the longest trail that is followed.

pytestmark = [
    pytest.mark.spin,
    pytest.mark.timeout(300),
    needs(not MISSING, f"not installed: Debian's {', '.join(MISSING)}"),
]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What Spin reports of a model."""

    states: int
    broken: str | None  # The property that does not hold.
    complete: bool  # Every reachable state was examined.


def verify(folder: Path, *switches: str) -> Verdict:
    """Build the model with these switches and examine all its states, or those until a property breaks."""
    temporal = any(switch.startswith(("ENDS", "NEVER")) for switch in switches)
    spin = ["spin", "-a", *(f"-D{switch}" for switch in switches), str(MODEL)]
    compile_ = ["gcc", "-w", "-O0", "-DVECTORSZ=512", "-DNFAIR=3", *([] if temporal else ["-DSAFETY"])]
    run(folder, *spin)
    run(folder, *compile_, "-o", "pan", "pan.c")
    report = run(folder, "./pan", f"-m{DEEPEST}", *(["-a", "-f"] if temporal else []))
    errors, states = (int(found(pattern, report)) for pattern in (r"errors: (\d+)", r"(\d+) states, stored"))
    assert "max search depth too small" not in report
    broken = found(r"pan:1: (.*) \(at depth", report) if errors else None
    return Verdict(states=states, broken=broken, complete="Search not completed" not in report)


def run(folder: Path, *command: str) -> str:
    """What a command prints; it fails the test when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def found(pattern: str, text: str) -> str:
    """The first group of the first match."""
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def test_whatever_happens_no_property_breaks(tmp_path: Path) -> None:
    verdict = verify(tmp_path)

    assert verdict.broken is None
    assert verdict.complete
    assert verdict.states > 500_000


def test_every_run_ends(tmp_path: Path) -> None:
    verdict = verify(tmp_path, "ENDS", "MISHAPS=2")

    assert verdict.broken is None
    assert verdict.complete
    assert verdict.states > 100_000


def test_without_faults_a_run_ends_without_a_reconciler(tmp_path: Path) -> None:
    verdict = verify(tmp_path, "ENDS", "NO_FAULTS", "NO_RECONCILER")

    assert verdict.broken is None
    assert verdict.complete
    assert verdict.states > 10


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "needs_operator"])
def test_every_end_is_reached(tmp_path: Path, status: str) -> None:
    assert verify(tmp_path, f"NEVER={status}").broken


def test_an_effect_can_happen_twice_although_its_outcome_is_recorded_once(tmp_path: Path) -> None:
    """The honest limit: a worker that froze past its lease may still do what another worker has done."""
    assert "applied" in str(verify(tmp_path, "ONCE").broken)


# What is taken away, and the property that then breaks, as a word of what Spin reports.
DEFECTS = {
    "NO_FENCE": "fence==me",
    "NO_FENCE STALE_IS_WELL": "recorded",
    "NO_VERSION": "fence==me",
    "VERSION_IS_FENCE": "cancel_wanted",
    "NO_GENERATION": "carried",
    "NO_OBSERVATION": "proper",
    "CALLBACK_DECIDES": "cancel_wanted||",
    "UNDO_ALL": "begun",
    "UNDO_DONE_ONLY": "standing",
    "NO_BUDGET ENDS": "acceptance cycle",
    "NO_REPUBLISH ENDS": "acceptance cycle",
    "NO_RECONCILER ENDS": "acceptance cycle",
    "PUBLISH_FIRST NO_FAULTS NO_RECONCILER ENDS": "acceptance cycle",
}


@pytest.mark.parametrize(("defect", "word"), DEFECTS.items())
def test_a_missing_safeguard_is_noticed(tmp_path: Path, defect: str, word: str) -> None:
    assert word in str(verify(tmp_path, *defect.split()).broken)
