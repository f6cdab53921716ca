"""The gate of a controller, when its database is away."""

from typing import Any, cast

import pytest

from app.domain.errors import StepError, Unavailable
from app.providers.bmc.memory import Machine
from tasks.capabilities import GatedBMC

FREE = [None, True]  # No login is put off, and the gate was taken.


class Answers:
    """A database that gives these answers, one after the other, and is away from then on."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def read(self, _work: object) -> Any:
        """The next answer."""
        for answer in self._answers:
            return answer
        raise Unavailable("away")

    write = read


def gated(machine: Machine, *answers: object) -> GatedBMC:
    """The controller of a machine, behind its gate."""
    return GatedBMC(cast(Any, Answers(*answers)), "srv_1", "run_1", machine.bmc())


def test_what_was_sent_stands_though_the_gate_could_not_be_opened_again() -> None:
    machine = Machine(power="on")
    gated(machine, *FREE).reset()
    assert machine.ledger == ["reset"]


@pytest.mark.parametrize("answers", [[], [None]])
def test_nothing_is_sent_through_a_gate_that_does_not_answer(answers: list[object]) -> None:
    machine = Machine(power="on")
    with pytest.raises(StepError) as refused:
        gated(machine, *answers).reset()
    assert (refused.value.nothing_happened, machine.ledger) == (True, [])
