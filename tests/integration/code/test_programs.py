"""Random programs on the engine end as they would without it, wherever their workers die."""

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.record.runs import runs
from tests.support.driver import Driver
from tests.unit.windlass.programs import Killed, Program, fresh, programs, run
from tests.unit.windlass.test_programs import straight

# Three deaths in a row would be poison. Each is before (negative) or after the effect of a body.
DEATHS = st.lists(st.integers(-4, 4).filter(bool), max_size=2, unique_by=abs).map(
    lambda d: sorted(d, key=abs)
)
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def family(driver: Driver, run_id: str) -> Iterator[str]:
    """A run and those that it waits for."""
    yield run_id
    for key, row in driver.steps(run_id).items():
        child = driver.db.read(lambda tx, key=key: runs.newest_child(tx, run_id, key))  # type: ignore[misc]
        if row["kind"] == "child" and child is not None:
            yield from family(driver, child["id"])


def drain(driver: Driver, run_id: str) -> None:
    """Run links; whenever a worker dies, let that be found."""
    while True:
        try:
            return driver.drain()
        except Killed:
            for one in family(driver, run_id):
                for phase in ("forward", "comp"):
                    for key, row in driver.steps(one, phase).items():
                        if row["status"] == "running":
                            driver.lose(one, key, phase)


def pass_time(driver: Driver, run_id: str) -> bool:
    """Let the next timer of the run or one of its children fire; false when nothing is due."""
    moving = (one for one in family(driver, run_id) if driver.run(one)["completed_at"] is None)
    return any(driver.fire(one) or driver.fire(one, "deadline") for one in moving)


def ended(driver: Driver, program: Program) -> tuple[str, Any]:
    """How a program ends on the engine."""
    run_id = driver.trigger(run, program)
    for n in range(sum(operation == ["signal"] for operation in program)):
        driver.signal(run_id, "go", n + 1)
    drain(driver, run_id)
    while driver.run(run_id)["completed_at"] is None and pass_time(driver, run_id):
        drain(driver, run_id)
    row = driver.run(run_id)
    if row["status"] == "completed":
        return "completed", driver.result(run_id)
    return row["status"], row["error_message"].rpartition("KeyError: ")[2]


@EXAMPLES
@given(program=programs(), deaths=DEATHS)
def test_a_program_ends_as_it_would_without_a_service(
    driver: Driver, program: Program, deaths: list[int]
) -> None:
    world = fresh()
    expected, bodies = straight(program), dict(world.bodies)
    world = fresh()
    world.deaths = deaths
    assert ended(driver, program) == expected
    again = sum(max(0, world.bodies[name] - times) for name, times in bodies.items())
    assert again <= world.died
    assert set(world.bodies) == set(bodies)
