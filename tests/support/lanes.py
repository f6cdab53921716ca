"""How the tests are shared out when several pytest processes run them side by side (docs/tests.rst).

Tests that share a service or a server stay together: those of a file, or those of a folder whose conftest
starts a service for all of them; SQLite and PostgreSQL apart. What needs most of a machine never runs beside
its like, and begins while the other processes run what needs no service.
"""

import os
from pathlib import PurePath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Folders whose service lives as long as their tests.
SERVICES = tuple(f"tests/acceptance/{name}" for name in ("faults", "servers", "clusters", "code", "batches"))
# The parameters of both databases are made once for them.
BOTH_AT_ONCE = ("tests/contract/test_fuzz.py",)
# Two hosts of workers and more, with faults or figures: one of them at a time.
WHOLE_MACHINE = (
    *("tests/chaos/test_smoke.py", "tests/chaos/test_storm.py", "tests/bench/test_harness.py"),
    *("tests/acceptance/test_demo.py", "tests/apps"),
)
# What begins first: the whole machine beside what needs no service, then what takes longest.
FIRST = (
    *WHOLE_MACHINE,
    "tests/contract",
    *SERVICES,
    *("tests/acceptance", "tests/chaos", "tests/bench"),
    *("tests/integration/webhooks_flow", "tests/integration/celery", "tests/integration/host"),
)
MOST_LANES = 12


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts: one more than processors, as tests of services mostly wait."""
    return min(MOST_LANES, len(os.sched_getaffinity(0)) + 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`scripts/test --nightly`."""
    parser.addoption("--nightly", action="store_true", help="also what takes long and finds little more")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the night, and put the longest first."""
    if not config.getoption("nightly"):
        later = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if item not in later]
        config.hook.pytest_deselected(items=later)
    if hasattr(config, "workerinput"):
        items.sort(key=place_of)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> "Groups":
    """Decides which process runs which tests."""
    config.option.loadscopereorder = False  # They come in our order.
    return Groups(config, log)


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Whole groups, one after the other; xdist's own marks of groups do nothing under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Whose tests run in one process, one after the other."""
    path, _, test = nodeid.partition("::")
    if any(PurePath(path).is_relative_to(each) for each in WHOLE_MACHINE):
        return "whole machine"
    if path in BOTH_AT_ONCE:
        return path
    shared = next((each for each in SERVICES if path.startswith(each + "/")), path)
    return f"{shared} {'postgres' if 'postgres' in test.partition('[')[2] else ''}"


def place_of(item: pytest.Item) -> int:
    """How early a test begins."""
    path = PurePath(item.nodeid.partition("::")[0])
    places = (place for place, each in enumerate(FIRST) if path.is_relative_to(each))
    return next(places, len(FIRST))
