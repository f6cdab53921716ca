"""The supervisor over real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.host.child import CannotStart, Child, Life
from app.host.supervise import Supervisor
from tests.support.servers import is_alive, until

PROGRAM = Path(__file__).with_name("program.py")
FOREVER = "while :; do sleep 0.05; done"
Start = Callable[..., subprocess.Popen[bytes]]


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A child that runs a shell script after it noted its process id in the file of its name."""
    return {"name": name, "argv": ["/bin/sh", "-c", f"echo $$ >> {name}.pids; {script}"], **more}


def pids(folder: Path, name: str) -> list[int]:
    """The process ids that a child has had so far."""
    path = folder / f"{name}.pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor in the test's folder; what is left of it is killed in the end."""
    started = []

    def begin(*children: dict[str, Any], stderr: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(PROGRAM), str(tmp_path / "logs"), json.dumps(children)]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        started.append(subprocess.Popen(argv, cwd=tmp_path, env=environ, stderr=stderr))
        until(lambda: all(pids(tmp_path, child["name"]) for child in children))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_child_starts_again(start: Start, tmp_path: Path) -> None:
    start(shell("a", FOREVER))
    os.kill(pids(tmp_path, "a")[0], signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "a")) == 2)
    assert is_alive(pids(tmp_path, "a")[1])


def test_a_full_disk_or_a_closed_terminal_ends_no_supervisor(start: Start, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        start(shell("a", FOREVER), stderr=full)
    os.kill(pids(tmp_path, "a")[0], signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "a")) == 2)


def test_a_child_that_cannot_start_just_now_is_tried_again(start: Start, tmp_path: Path) -> None:
    supervisor = start(shell("a", FOREVER), shell("b", FOREVER))
    logs, aside = tmp_path / "logs", tmp_path / "aside"
    logs.rename(aside)
    logs.touch()  # No log can be opened below it.
    os.kill(pids(tmp_path, "a")[0], signal.SIGKILL)
    said = iter(supervisor.stderr or ())
    assert any(b"a cannot start: " in line for line in said)
    logs.unlink()
    until(lambda: len(pids(tmp_path, "a")) == 2)
    assert is_alive(pids(tmp_path, "b")[0])


def test_the_orphans_of_a_killed_child_are_killed(start: Start, tmp_path: Path) -> None:
    start(shell("a", f"(echo $$ >/dev/null; sh -c 'echo $$ > orphan; {FOREVER}') & {FOREVER}"))
    orphan = int(until(lambda: (tmp_path / "orphan").exists() and (tmp_path / "orphan").read_text()))
    os.kill(pids(tmp_path, "a")[0], signal.SIGKILL)
    until(lambda: not is_alive(orphan))


def test_stages_stop_in_reverse_order(start: Start, tmp_path: Path) -> None:
    names = ("first", "second", "third")
    trap = "trap 'echo {} >> order; exit' TERM; "
    supervisor = start(*(shell(n, trap.format(n) + FOREVER, stage=i) for i, n in enumerate(names)))
    supervisor.terminate()
    assert supervisor.wait(300) == 0
    assert (tmp_path / "order").read_text().split() == ["third", "second", "first"]


def test_a_child_that_does_not_stop_is_killed_after_its_grace(start: Start, tmp_path: Path) -> None:
    supervisor = start(shell("deaf", f"trap '' TERM; {FOREVER}", grace_s=0.3))
    supervisor.terminate()
    assert supervisor.wait(300) == 0
    assert not is_alive(pids(tmp_path, "deaf")[0])


def test_a_second_signal_ends_the_patience(start: Start, tmp_path: Path) -> None:
    supervisor = start(shell("deaf", f"trap 'echo heard > heard' TERM; {FOREVER}", grace_s=60))
    supervisor.send_signal(signal.SIGINT)
    until((tmp_path / "heard").exists)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(300) == 0


def test_children_die_with_a_killed_parent(start: Start, tmp_path: Path) -> None:
    supervisor = start(shell("a", FOREVER), shell("b", FOREVER))
    supervisor.kill()
    until(lambda: not any(is_alive(pid) for name in "ab" for pid in pids(tmp_path, name)))


def test_what_a_child_says_is_appended_to_its_log(start: Start, tmp_path: Path) -> None:
    start(shell("a", "echo hello; exit 3"))
    log = tmp_path / "logs" / "a.log"
    until(lambda: log.exists() and log.read_text() == "hello\nhello\n")


def test_a_child_that_is_done_ends_the_supervisor_when_it_was_the_last(start: Start) -> None:
    supervisor = start(shell("a", "true", restart_when_done=False))
    assert supervisor.wait(300) == 0


def test_a_child_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    child = Child(name="a", argv=("/bin/sh", "-c", "echo no database; exit 3"), ready=lambda: False)
    with pytest.raises(CannotStart, match=r"a ended with status 3; .*\nno database"):
        Supervisor([child], logs=tmp_path).run()


def test_a_later_stage_waits_until_the_earlier_is_ready(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    first = Child(name="first", argv=("/bin/sh", "-c", f"touch {ready}; {FOREVER}"), ready=ready.exists)
    second = Child(name="second", argv=("/bin/ls", str(ready)), stage=1, restart_when_done=False)
    supervisor = Supervisor([second, first], logs=tmp_path)
    supervisor.run(lambda: "second" in supervisor.pids)
    assert (tmp_path / "second.log").read_text() == f"{ready}\n"


def test_a_start_that_always_fails_in_the_same_way_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.host.child.LAST_DELAY_S", 0.0)
    child = Child(name="a", argv=("/bin/sh", "-c", "echo cannot import it, $$; exit 3"))
    with pytest.raises(CannotStart, match=r"a ended 6 times in the same way .*cannot import it"):
        Supervisor([child], logs=tmp_path).run()


@pytest.mark.parametrize("script", ["kill -9 $$", "exit 0", "echo $0$$ | tr 0-9 a-j; exit 3"])
def test_other_ends_are_not(tmp_path: Path, script: str) -> None:
    life = Life(Child(name="a", argv=("/bin/sh", "-c", script)), tmp_path)
    for _ in range(8):
        ends(life, started=0, ended=0)
    assert not life.is_hopeless


def test_neither_is_what_has_lived_well_once(tmp_path: Path) -> None:
    life = Life(Child(name="a", argv=("/bin/false",)), tmp_path)
    ends(life, started=0, ended=31)
    for _ in range(8):
        ends(life, started=0, ended=0)
    assert not life.is_hopeless


def test_a_log_is_put_aside_while_its_process_goes_on(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.host.child.LOG_BYTES", 100)
    monkeypatch.setattr("app.host.supervise.ROTATE_S", 0.0)
    child = Child(name="a", argv=("/bin/sh", "-c", "while :; do echo one line of a log; sleep 0.01; done"))
    aside = tmp_path / "a.log.1"
    supervisor = Supervisor([child], logs=tmp_path)

    supervisor.run(lambda: not (aside.exists() and (tmp_path / "a.log").read_text().startswith("one line")))

    assert set(aside.read_text().splitlines()) == {"one line of a log"}
    assert "\0" not in (tmp_path / "a.log").read_text()


def ends(life: Life, *, started: float, ended: float) -> float:
    """The pause after a life of the child that began and ended at these times."""
    life.start(started)
    until(lambda: life.ended(ended) is not None)
    return life.due - ended


def test_the_pause_doubles_up_to_its_cap(tmp_path: Path) -> None:
    life = Life(Child(name="a", argv=("/bin/false",)), tmp_path)
    assert [ends(life, started=0, ended=0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_pause_begins_anew_after_a_healthy_life(tmp_path: Path) -> None:
    life = Life(Child(name="a", argv=("/bin/false",)), tmp_path)
    dying = [ends(life, started=0, ended=0) for _ in range(4)]
    assert (dying[-1], ends(life, started=0, ended=31)) == (4, 0.5)


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    with (tmp_path / "a.log").open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    life = Life(Child(name="a", argv=("/bin/echo", "new")), tmp_path)
    ends(life, started=0, ended=0)
    assert ((tmp_path / "a.log").read_text(), (tmp_path / "a.log.1").exists()) == ("new\n", True)
