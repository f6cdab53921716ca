"""Random programs meet everything that may happen between two commits, and end as they would without it.

Messages are lost, doubled and late, workers die before and after commits, answers of commits are lost. The
programs and the oracle are those of the replay core's own tests.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.code.test_programs import family, pass_time
from tests.support.driver import Driver
from tests.unit.windlass.programs import Killed, Program, fresh, programs, run
from tests.unit.windlass.test_programs import straight

EVENTS = ("deliver", "deliver", "double", "drop", "late", "dies before", "dies after", "repeats")
SCHEDULES = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, 4)), max_size=12)
MOST_DEATHS = 2  # Three in a row would be poison.
EXAMPLES = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def trouble(driver: Driver, kind: str, at: int) -> Iterator[None]:
    """The worker's n-th commit from now on fails in this way."""
    left = [at]

    def troubled(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **how: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and kind == "dies before":
                raise Killed
            done = real(*args, **how)
            if left[0] == 0 and kind == "dies after":
                raise Killed
            if left[0] == 0 and kind == "repeats":  # The answer was lost: it is done once more.
                return real(*args, **how)
            return done

        return write

    for name in ("once", "write"):
        setattr(driver.db, name, troubled(getattr(driver.db, name)))
    try:
        yield
    finally:
        del driver.db.once, driver.db.write


class Story:
    """One program on the engine, and what happens to it."""

    def __init__(
        self, driver: Driver, program: Program, schedule: list[tuple[str, int]], **options: Any
    ) -> None:
        self.driver, self.schedule, self.deaths = driver, schedule, 0
        driver.waiting.clear()
        self.run_id = driver.trigger(run, program, **options)
        for n in range(sum(operation == ["signal"] for operation in program)):
            driver.signal(self.run_id, "go", n + 1)

    def told(self) -> tuple[str, Any]:
        """How it ends."""
        for _ in range(2_000):
            if not self._next() and not pass_time(self.driver, self.run_id) and not self.driver.find_lost():
                break
        row = self.driver.run(self.run_id)
        if row["status"] == "completed" and "value" in (row["output"] or {}):
            return "completed", self.driver.result(self.run_id)
        return row["status"], (row["error_message"] or "").rpartition("KeyError: ")[2]

    def _next(self) -> bool:
        kind, number = self.schedule.pop(0) if self.schedule else ("deliver", 1)
        waiting = self.driver.waiting
        if not waiting:
            return False
        if kind == "double":
            waiting.append(waiting[0])
        elif kind == "drop":
            waiting.popleft()
        elif kind == "late":
            waiting.rotate(-number)
        elif kind == "repeats" or (kind.startswith("dies") and self.deaths < MOST_DEATHS):
            with trouble(self.driver, kind, number):
                self._deliver()
        else:
            self._deliver()
        return True

    def _deliver(self) -> None:
        try:
            self.driver.deliver()
        except Killed:
            self.deaths += 1
            del self.driver.db.once, self.driver.db.write
            self.driver.reconcile(list(family(self.driver, self.run_id)))
            for name in ("once", "write"):  # Removed again by the rule that made the trouble.
                setattr(self.driver.db, name, getattr(self.driver.db, name))


@EXAMPLES
@given(program=programs(), schedule=SCHEDULES)
def test_whatever_happens_a_program_ends_as_it_should(
    driver: Driver, program: Program, schedule: list[tuple[str, int]]
) -> None:
    world = fresh()
    expected, bodies = straight(program), dict(world.bodies)
    world = fresh()
    story = Story(driver, program, list(schedule))
    assert story.told() == expected
    assert sum(max(0, world.bodies[name] - times) for name, times in bodies.items()) <= story.deaths
    assert set(world.bodies) == set(bodies)
