"""People meddle with random programs at any moment; the doctor finds nothing, and every run can be ended."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidStateTransition, ValidationFailed
from app.domain.states import TERMINAL
from app.record.runs import doctor
from tests.integration.code.test_machine import EVENTS, Story
from tests.integration.code.test_programs import family, pass_time
from tests.support.driver import Driver
from tests.unit.windlass.programs import Program, fresh, programs

ACTIONS = ("pause", "unpause", "resume", "skip", "resolve", "compensate")
MEDDLING = ("cancel", "kill", "abandon", "sleep", *ACTIONS)
SCHEDULES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(EVENTS), st.integers(1, 4)),
        st.tuples(st.sampled_from([*MEDDLING, "pause", "unpause", "resume"]), st.just(0)),
    ),
    max_size=16,
)
EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Meddled(Story):
    """A program that people meddle with."""

    def meddle(self, kind: str) -> None:
        """Do something to the run, if it may be done now."""
        try:
            if kind == "sleep":
                pass_time(self.driver, self.run_id)
            elif kind in ACTIONS:
                self.driver.act(self.run_id, kind)
            else:
                self.driver.cancel(self.run_id, mode="graceful" if kind == "cancel" else kind)
        except (InvalidStateTransition, ValidationFailed):
            return

    def _next(self) -> bool:
        if self.schedule and self.schedule[0][0] in MEDDLING:
            self.meddle(self.schedule.pop(0)[0])
            return True
        return super()._next()


@EXAMPLES
@given(program=programs(), schedule=SCHEDULES, on_failure=st.sampled_from(["hold", "compensate"]))
def test_whatever_people_do_the_record_is_sound_and_the_run_can_be_ended(
    driver: Driver, program: Program, schedule: list[tuple[str, int]], on_failure: str
) -> None:
    fresh()
    story: Any = Meddled(driver, program, list(schedule), on_failure=on_failure)
    story.told()
    for last in ("unpause", "resume", "compensate"):
        assert [one for one in driver.db.read(doctor.findings) if one["run"] == story.run_id] == []
        if driver.status(story.run_id) not in TERMINAL:
            story.meddle(last)
            story.told()
    assert {driver.status(one) for one in family(driver, story.run_id)} <= TERMINAL
