"""Scripts in sandboxes of this host: each runs once, ends with all that it began, and writes nowhere else."""

import os
import signal
from pathlib import Path

import pytest

from app.domain.errors import CloudUnreachable, StepTimedOut
from app.providers.shells import Ran, sealed
from app.providers.shells.local import LocalShell
from tests.support.servers import until

pytestmark = pytest.mark.timeout(60)
COUNTS = 'echo once >>"$HOME/ran"; echo $WORD; exit 4\n'
UNTIL_GO = f'while [ ! -f "$HOME/go" ]; do sleep 0.02; done\n{COUNTS}'


@pytest.fixture
def shell(tmp_path: Path) -> LocalShell:
    """A sandbox of its own."""
    (tmp_path / "root").mkdir()
    return LocalShell(tmp_path / "root")


def ran(shell: LocalShell) -> int:
    """How often the script ran."""
    found = shell.root / "ran"
    return len(found.read_text().splitlines()) if found.exists() else 0


def ended(shell: LocalShell, token: str) -> Ran:
    """How the script ended, once it has."""
    until(lambda: shell.ended(token) is not None, 20)
    found = shell.ended(token)
    assert found is not None
    return found


def test_a_script_that_looks_tells_its_exit_and_output(shell: LocalShell) -> None:
    assert shell.run('echo "it is $A"; exit 1', {"A": "a b'c"}, within_s=9) == Ran(1, "it is a b'c")


def test_what_a_script_leaves_running_keeps_nobody_waiting(shell: LocalShell) -> None:
    left = "setsid sleep 30 & echo $!"
    found = shell.run(left, {}, within_s=9)
    assert found.code == 0
    os.kill(int(found.output), signal.SIGKILL)


def test_a_script_that_looks_too_long_is_ended_whatever_holds_its_output(shell: LocalShell) -> None:
    with pytest.raises(StepTimedOut):
        shell.run('setsid sleep 30 & echo $! >"$HOME/child"; sleep 30', {}, within_s=1)
    os.kill(int((shell.root / "child").read_text()), signal.SIGKILL)


def test_a_script_runs_once_under_its_token(shell: LocalShell) -> None:
    for _ in range(3):
        shell.start("t1", UNTIL_GO, {"WORD": "w"})
    assert shell.ended("t1") is None
    (shell.root / "go").touch()
    assert ended(shell, "t1") == Ran(4, "w")
    shell.start("t1", COUNTS, {"WORD": "other"})
    assert (ran(shell), shell.ended("t1")) == (1, Ran(4, "w"))


def test_a_script_that_died_without_a_word_is_begun_anew(shell: LocalShell) -> None:
    shell.start("t1", UNTIL_GO, {})
    os.killpg(int((shell.root / ".windlass/t1/group").read_text()), signal.SIGKILL)

    def begun_anew() -> bool:
        shell.start("t1", COUNTS, {"WORD": "w"})
        return shell.ended("t1") is not None

    until(begun_anew, 20)
    assert (ended(shell, "t1"), ran(shell)) == (Ran(4, "w"), 1)


def test_a_stopped_script_ends_with_all_that_it_began(shell: LocalShell) -> None:
    shell.start("t1", 'sleep 300 & echo $! >"$HOME/child"; wait\n', {})
    until(lambda: (shell.root / "child").exists() and (shell.root / "child").read_text().strip() != "", 20)
    shell.stop("t1")
    child = Path(f"/proc/{(shell.root / 'child').read_text().strip()}")
    until(lambda: not child.exists() or ") Z" in (child / "stat").read_text(), 20)
    assert shell.ended("t1") is None


def test_a_process_that_only_has_the_number_of_a_script_is_left_alone(shell: LocalShell) -> None:
    shell.start("t1", COUNTS, {})
    ended(shell, "t1")
    (shell.root / ".windlass/t1/exit").unlink()
    (shell.root / ".windlass/t1/group").write_text(str(os.getpgid(0)))
    until(lambda: _stopped(shell), 20)
    assert not (shell.root / ".windlass/t1").exists()


def _stopped(shell: LocalShell) -> bool:
    """Stop the token once the wrapper has let go of its lock."""
    with shell._lock("t1") as (_lock, free):
        pass
    if free:
        shell.stop("t1")
    return free


@pytest.mark.skipif(sealed.landlock() < 1, reason="the kernel has no Landlock")
def test_a_script_writes_below_its_root_alone(shell: LocalShell, tmp_path: Path) -> None:
    script = f'echo in >"$HOME/in" && cat /etc/hostname >/dev/null && echo out >"{tmp_path}/out"'
    assert shell.run(script, {}, within_s=9).code != 0
    assert (shell.root / "in").exists()
    assert not (tmp_path / "out").exists()


def test_a_sandbox_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    gone = LocalShell(tmp_path / "root")
    with pytest.raises(CloudUnreachable) as told:
        gone.start("t1", COUNTS, {})
    assert told.value.nothing_happened
    gone.stop("t1")
