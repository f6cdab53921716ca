"""Proof that a workflow survives: the same story, with the worker killed at every commit in turn."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from windlass.testing.harness import Harness

T = TypeVar("T")


def survives(story: Callable[[Harness], T]) -> T:
    """Tell a story without a kill, then with one before and after every commit: it must end the same.

    The story starts runs in the harness that it is given, and returns what matters of them. AssertionError
    names the commit at which a kill made a difference. What the story touches beside the harness, such as
    stand-ins for services, is to be made anew in it.
    """
    calm = Harness(replays=False)
    expected = story(calm), _ends(calm)
    for told, harness in _harnesses(calm.record.commits):
        try:
            got = story(harness), _ends(harness)
        except Exception as error:
            raise AssertionError(f"{told}: {type(error).__name__}: {error}") from error
        if got != expected:
            raise AssertionError(f"{told} the story ended as {got!r}, without that as {expected!r}")
    return expected[0]


def _harnesses(commits: int) -> Iterator[tuple[str, Harness]]:
    yield "replayed after every result", Harness()
    for n in range(1, commits + 1):
        yield f"killed before commit {n} of {commits}", Harness(replays=False, kill_before={n})
        yield f"killed after commit {n} of {commits}", Harness(replays=False, kill_after={n})


def _ends(harness: Harness) -> list[object]:
    """How every run has ended: its status, its calls and what was undone."""
    return [
        (run.definition.name, run.status, [(memo.key, memo.status) for memo in run.history()], run.undone)
        for run in harness.record.runs.values()
    ]
