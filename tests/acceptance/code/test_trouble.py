"""In the middle of every kind of wait something is killed or emptied: each run ends right, nothing twice.

What is held when a worker is killed begins again; what had completed does not. The witness is a file.
"""

from collections.abc import Iterator

import pytest

from app.record.runs import runs
from app.record.runs.doctor import findings
from tests.acceptance.code.site import Site
from tests.conftest import POSTGRES_REDIS
from tests.support.servers import until

FLOWS = (
    "step",
    "parallel",
    "child",
    "hook",
    "signal",
    "retry",
    "sleep",
)  # The last two do not wait for long.
RESULTS = {
    "sleep": "slept",
    "signal": {"n": 1},
    "child": {"n": 2},
    "parallel": ["quick-0", "quick-1", "quick-2", "held"],
    "step": "held",
    "retry": "shaky",
    "hook": {"n": 3},
}
TWICE = {"retry": {"shaky"}}  # What has to happen twice.
PATIENCE_S = 300.0
Runs = dict[str, str]


@pytest.fixture
def waiting(site: Site) -> Iterator[Runs]:
    """A run of each kind, in the middle of its wait."""
    site.gate.unlink(missing_ok=True)
    ids = {flow: site.client.workflow.trigger(f"flow-{flow}").run_id for flow in FLOWS}
    until(lambda: all(is_waiting(site, flow, ids[flow]) for flow in FLOWS), PATIENCE_S, "all of them wait")
    yield ids
    site.gate.touch()


def test_pool_processes_are_killed(site: Site, waiting: Runs) -> None:
    site.kill_pool()
    ends_right(site, waiting, begun_again={"held"})


def test_redis_is_emptied(site: Site, waiting: Runs) -> None:
    site.store.restart_empty()
    ends_right(site, waiting)


@pytest.mark.parametrize("site", [POSTGRES_REDIS], indirect=True)  # SQLite has no server.
def test_the_database_is_restarted(site: Site, waiting: Runs) -> None:
    assert site.postgres is not None
    site.postgres.kill()
    site.postgres.start()
    ends_right(site, waiting)


def ends_right(site: Site, ids: Runs, begun_again: frozenset[str] | set[str] = frozenset()) -> None:
    """Let all go on: each ends with its result, and no step that had completed was done again."""
    release(site, ids)
    ended = {flow: site.client.workflow.wait(one, timeout_s=PATIENCE_S) for flow, one in ids.items()}
    assert {flow: run.error or run.output for flow, run in ended.items()} == RESULTS
    for flow, run_id in ids.items():
        told = {what: count for what, count in site.did(run_id).items() if count > 1}
        assert set(told) <= TWICE.get(flow, set()) | begun_again, f"{flow}: {told}"
    assert site.db.read(findings) == [], site.db.read(findings)


def release(site: Site, ids: Runs) -> None:
    """What the runs wait for happens; the client repeats by itself what could not be taken."""
    client = site.client.workflow
    site.gate.touch()
    client.send_signal(ids["signal"], "go", {"n": 1}, idempotency_key="one")
    client.send_signal(f"{ids['child']}-child", "go", {"n": 2}, idempotency_key="two")
    (token,) = (what for what in site.did(ids["hook"]) if what.startswith("token="))
    client.execute_hook(token.removeprefix("token="), {"n": 3})


def is_waiting(site: Site, flow: str, run_id: str) -> bool:
    """Whether the run is in the middle of what it is about."""
    if flow == "step":
        return site.did(run_id)["held"] == 1
    if flow == "parallel" and site.did(run_id)["held"] == 0:
        return False
    # Of a group all but the one that is held have ended.
    return waits_for_one(site, run_id) and (flow != "child" or waits_for_one(site, f"{run_id}-child"))


def waits_for_one(site: Site, run_id: str) -> bool:
    """Whether the function is suspended for one call."""
    main = site.db.read(lambda tx: runs.one_step(tx, run_id, "forward", "main"))
    return main is not None and (main["status"], main["pending"]) == ("waiting", 1)
