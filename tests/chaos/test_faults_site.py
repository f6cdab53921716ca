"""Faults of processes and clocks, and failpoints, on a whole site: they take hold, and it comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from random import Random
from time import time
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.chaos.fault import POSTGRES, Injection, Setting, faults
from tests.chaos.faults.clocks import library
from tests.chaos.faults.processes import inside
from tests.chaos.points import arms
from tests.chaos.points.arms import Arm
from tests.chaos.site import Site
from tests.conftest import SQLITE_AT_NIGHT
from tests.support.plain import http
from tests.support.servers import absent, until

RUNS = "/v1/workflows/runs"
BACK_S = 60.0
INSIDE = ("tests.chaos.points.inside", "tests.chaos.faults.wrongtime")
# What is tried here needs no more of them, and each has to start again whenever its host was killed.
FEW = {"WINDLASS_WORKER_PROCESSES": "2", "WINDLASS_BMC_PROCESSES": "1"}


@pytest.fixture(scope="module", params=[pytest.param(POSTGRES, marks=pytest.mark.postgres), SQLITE_AT_NIGHT])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole site with failpoints and clocks that can be wrong."""
    with Site(
        request.param, tmp_path_factory.mktemp("site"), setting=Setting(inside=INSIDE, env=FEW), reconcilers=0
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def _still_works(site: Site) -> Iterator[None]:
    """After every test the site takes a run and completes it."""
    yield
    until(site.is_ready, BACK_S, "the API is back")
    assert ended(site, start(site)) == "completed"


def start(site: Site) -> str:
    """Start a run of five steps, asking until the API answers."""
    body: dict[str, object] = {"type": "chaos.line", "input": {}, "idempotencyKey": uuid4().hex}
    return str(until(lambda: accepted(site, body), BACK_S, "a run is accepted"))


def accepted(site: Site, body: dict[str, object]) -> str | None:
    """The id of the run, when it is accepted."""
    try:
        answer = http.post(site.url + RUNS, json=body, timeout=5)
    except httpx.HTTPError:
        return None
    return str(answer.json()["data"]["id"]) if answer.status_code == 202 else None


def ended(site: Site, run_id: str) -> str:
    """How the run ended."""

    def check() -> str | None:
        try:
            run = http.get(f"{site.url}{RUNS}/{run_id}", timeout=5).json().get("data") or {}
        except httpx.HTTPError:
            return None
        return str(run["status"]) if run.get("completedAt") else None

    return str(until(check, BACK_S, f"the end of {run_id}"))


@contextmanager
def struck(site: Site, name: str) -> Iterator[Injection]:
    """A fault as long as the block lasts; the evidence."""
    fault = faults()[name]
    done = until(lambda: fault.strike(site, Random(4)))
    try:
        assert done is not None
        yield done
    finally:
        fault.heal(site)


@pytest.mark.parametrize(
    "name", ["child-killed", "main-killed", "host-killed", "api-killed", "reconcilers-killed"]
)
def test_what_was_killed_is_gone_and_replaced(site: Site, name: str) -> None:
    role = faults()[name].role  # type: ignore[attr-defined]
    before = len(site.processes(role))
    with struck(site, name) as done:
        until(lambda: not any(psutil.pid_exists(pid) for pid in done.hit), why="they are dead and buried")
    until(lambda: len(site.processes(role)) == before, BACK_S, f"{before} of {role}")


@pytest.mark.parametrize("name", ["child-frozen", "host-frozen", "reconciler-frozen"])
def test_what_is_frozen_stands_still_until_it_is_healed(site: Site, name: str) -> None:
    with struck(site, name) as done:
        until(lambda: statuses(done) == {psutil.STATUS_STOPPED})
    until(lambda: psutil.STATUS_STOPPED not in statuses(done))


def statuses(done: Injection) -> set[str]:
    """What the processes that were hit do."""
    return {psutil.Process(pid).status() for pid in done.hit}


def test_everything_dies_at_once_and_comes_back_by_itself(site: Site) -> None:
    run_id = start(site)
    with struck(site, "power-lost"):
        until(lambda: {one.status() for one in inside(site)} <= {psutil.STATUS_ZOMBIE})
    assert ended(site, run_id) == "completed"


def test_the_api_lives_in_another_hour_and_then_in_ours(site: Site) -> None:
    if library() is None:
        absent("Debian's faketime is not installed")
    with struck(site, "api-clock-shifted"):
        until(site.is_ready, BACK_S)
        assert abs(wrong_by(site)) > 3_000
    until(lambda: abs(wrong_by(site)) < 60, why="the clock has jumped back")


def wrong_by(site: Site) -> float:
    """Seconds by which the API's clock is ahead of ours."""
    return parsedate_to_datetime(http.get(site.url + "/health").headers["Date"]).timestamp() - time()


@pytest.mark.parametrize("point", ["claim.after-commit", "body.end", "settle.after-commit"])
def test_a_worker_dies_at_a_point_and_the_run_goes_on(site: Site, point: str) -> None:
    control = arms.of(site.folder)
    before = len(control.hits())
    name = control.arm(Arm(point=point, action="kill", role="worker"))
    assert ended(site, start(site)) == "completed"
    control.disarm(name)
    assert [hit.point for hit in control.hits()[before:]] == [point]
