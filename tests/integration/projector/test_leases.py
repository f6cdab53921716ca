"""Each source is watched by one projector at a time, and by another one when that dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.auth.keys import LOCAL
from app.config import Settings, environment
from app.record.inventory import sources
from app.services import managements
from app.wiring import wire
from tests.integration.projector.watched import CONVERGED_S, Watched
from tests.support.servers import until

ELSEWHERE = "elsewhere.0:1/projector"


def test_of_two_projectors_one_watches_and_the_other_takes_over(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching("elsewhere.0:2/projector"):
        with watched.watching("elsewhere.0:1/projector"):
            assert {row["fence"] for row in watched.db.read(sources.all_sources)} == {1}
        watched.show(vm_id, "Running")
        watched.converges()
        assert {row["holder"] for row in watched.db.read(sources.all_sources)} == {"elsewhere.0:2/projector"}
    assert {row["holder"] for row in watched.db.read(sources.all_sources)} == {None}


def test_a_lease_is_waited_for_when_nobody_knows_whether_its_holder_lives(watched: Watched) -> None:
    watched.db.write(lambda tx: sources.keep_up(tx, servers=False))
    watched.db.write(lambda tx: sources.take(tx, watched.source(), ELSEWHERE, 1_000))
    until_ = watched.source()["lease_until"]
    with watched.watching():
        assert watched.source()["fence"] == 2
        assert watched.source()["listed_at"] > until_


def test_who_renews_its_lease_in_the_last_moment_keeps_it(watched: Watched) -> None:
    watched.db.write(lambda tx: sources.keep_up(tx, servers=False))
    held = watched.db.write(lambda tx: sources.take(tx, watched.source(), ELSEWHERE, 0))
    assert held is not None
    seen = watched.source()
    assert watched.db.write(lambda tx: sources.renew(tx, held, 60_000, {}))
    assert watched.db.write(lambda tx: sources.take(tx, seen, "elsewhere.0:2/projector", 60_000)) is None


def test_who_was_superseded_writes_nothing_any_more(watched: Watched) -> None:
    vm_id = watched.plant()[0]
    with watched.watching() as projector:
        watched.converges()
        before = watched.shown(vm_id)
        watched.db.write(lambda tx: sources.take(tx, watched.source(), ELSEWHERE, 60_000))
        watched.show(vm_id, "Running")
        until(lambda: (watched.management_id, "vm") not in projector.holds, why="it lets go")
    assert (watched.shown(vm_id), watched.source()["holder"]) == (before, ELSEWHERE)


@contextmanager
def process(settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A projector as an operator starts it."""
    with log.open("ab") as out:
        command = [sys.executable, "-m", "app.cli", "projector"]
        started = subprocess.Popen(command, env=environment(settings), stdout=out, stderr=out)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def test_a_projector_that_is_killed_is_followed_by_another_at_once(
    watched: Watched, state: Path, tmp_path: Path
) -> None:
    watched.db.tenant = "default"  # That of every process.
    settings = Settings(state_dir=str(state), database_url=watched.db.url.render_as_string(False))
    world = wire(settings, role="cli")
    values = {"name": "real", "description": None, "kubeconfig": watched.lab.kubeconfig()}
    values |= {"cluster_namespace": "kcm-system", "machine_namespace": "default"}
    made = managements.create(world, LOCAL, values)
    world.db.dispose()
    watched.management_id = made["id"]
    vm_id = watched.plant()[0]
    with process(settings, tmp_path / "1.log") as first:
        until(watched.agrees, CONVERGED_S, "the first one watches")
        with process(settings, tmp_path / "2.log"):
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            until(
                lambda: watched.source()["fence"] == 2, settings.lease_ms / 1000 / 2, "another one holds it"
            )
            watched.show(vm_id, "Running")
            watched.converges()
