"""Random programs end as they should wherever workers are killed; what is durable is not done again."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.windlass.programs import Program, fresh, programs, run, work
from windlass.testing import Harness, RunFailed

EXAMPLES = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Straight:
    """A ctx that does everything at once: how a program would end if nothing could go wrong between steps."""

    def __init__(self) -> None:
        self._signals = 0

    def step(self, name: str, fn: Any, *args: Any, retries: int = 0, **options: Any) -> Any:
        for left in range(retries, -1, -1):
            try:
                return fn(*args)
            except KeyError:
                if not left:
                    raise

    def call(self, name: str, fn: Any, *args: Any, **options: Any) -> Any:
        return lambda: self.step(name, fn, *args, **options)

    def parallel(self, calls: list[Any], **options: Any) -> list[Any]:
        return [self._caught(call) for call in calls]

    def _caught(self, call: Any) -> Any:
        try:
            return call()
        except KeyError as error:
            return error

    def wait_for_signal(self, name: str, default: Any = None, **options: Any) -> Any:
        self._signals += name == "go"
        return self._signals if name == "go" else default

    def run_child(self, name: str, program: Program, place: str) -> Any:
        return work(self, program, place)

    def sleep(self, duration: str) -> None: ...

    def emit(self, event_type: str, payload: Any) -> None: ...

    def uuid(self) -> object:
        return object()

    def random(self) -> float:
        return 0.5


def straight(program: Program) -> tuple[str, Any]:
    try:
        return "completed", work(Straight(), program)
    except KeyError as error:
        return "failed", str(error)


def trial(harness: Harness, program: Program) -> tuple[str, Any]:
    with harness:
        one = harness.start(run, program)
        for n in range(1, 1 + sum(operation == ["signal"] for operation in program)):
            if one.status == "running":
                one.signal("go", n)
        try:
            return "completed", one.result()
        except RunFailed as failed:
            message = str(failed.error["message"])
            return "failed", message.rpartition("KeyError: ")[2]


@EXAMPLES
@given(programs())
def test_a_program_ends_as_it_would_without_a_service(program: Program) -> None:
    world = fresh()
    expected, bodies = straight(program), dict(world.bodies)
    for replays in (True, False):
        world = fresh()
        assert trial(Harness(replays=replays), program) == expected
        assert dict(world.bodies) == bodies


@EXAMPLES
@given(programs(), st.data())
def test_a_program_ends_the_same_wherever_workers_are_killed(program: Program, data: st.DataObject) -> None:
    world, calm = fresh(), Harness(replays=False)
    expected, bodies, undone = trial(calm, program), dict(world.bodies), list(world.undone)
    kills = st.frozensets(st.integers(1, calm.record.commits + 4), max_size=4)
    world, rough = fresh(), Harness(replays=False, kill_before=data.draw(kills), kill_after=data.draw(kills))
    assert trial(rough, program) == expected
    assert set(world.undone) == set(undone)
    again = sum(max(0, world.bodies[name] - times) for name, times in bodies.items())
    assert again <= rough.killed
    assert set(world.bodies) == set(bodies)
