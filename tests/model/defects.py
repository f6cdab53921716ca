"""Reference engines that are wrong in one place each; the machine has to notice every one of them."""

from typing import Any

from app.domain.policy import Backoff
from app.domain.states import RunStatus, StepStatus
from tests.model.book import Row
from tests.model.reference import Claim, Reference


class NoFence(Reference):
    """Takes the first result that comes."""

    def holds(self, claim: Claim, step: Row) -> bool:
        """Any running step will do."""
        return bool(step["status"] == StepStatus.RUNNING)


class LostWorkIsNotPublishedAgain(Reference):
    """Makes a step ready and publishes nothing."""

    def publish(self, step: Row) -> None:
        """Only the first time."""
        if not step["lost"]:
            super().publish(step)


class UnknownIsNotUndone(Reference):
    """Undoes what completed, and nothing else."""

    def undoable(self) -> list[Row]:
        """What may have happened is forgotten."""
        return [row for row in super().undoable() if row["outcome"] == "done"]


class UndoesWhatNeverBegan(Reference):
    """Undoes every step."""

    def undoable(self) -> list[Row]:
        """All."""
        return list(reversed(self.line("forward")))


class UndoesInOrder(Reference):
    """Undoes the oldest step first."""

    def undoable(self) -> list[Row]:
        """The wrong way round."""
        return list(reversed(super().undoable()))


class UndoesWhileAStepRuns(Reference):
    """Does not wait for the last step when a run turns back."""

    def busy(self) -> bool:
        """Never observes."""
        return False


class RepeatsWhatMustNotBe(Reference):
    """Forgets that an earlier attempt may have happened."""

    def take(self, step: Row) -> Claim:
        """Every attempt is the first."""
        taken = super().take(step)
        return Claim(taken.phase, taken.key, taken.fence, unsure=False)


class ForgetsEarlierAttempts(Reference):
    """Believes an attempt that did nothing that no earlier one did anything."""

    def raised(self, step: Row, how: str, claim: Claim, *, cleared: bool) -> None:
        """Need not observe."""
        super().raised(step, how, claim, cleared=True)


class RepeatsAnOrderThatFailed(Reference):
    """Sends an order again that may have been sent, without observing."""

    def raised(self, step: Row, how: str, claim: Claim, *, cleared: bool) -> None:
        """Every failure did nothing."""
        super().raised(step, "refused" if how == "failed" else how, claim, cleared=cleared)


class RetriesForEver(Reference):
    """Its policy has no limit."""

    policy = Backoff(first_ms=1_000, limit=0, jitter=False)


class PoisonIsHarmless(Reference):
    """A step may kill any number of workers."""

    poison = 99


class FiresTooEarly(Reference):
    """Ignores the clock."""

    def due(self, timer: Row) -> bool:
        """Always."""
        return True


class KeepsTimers(Reference):
    """Leaves timers armed behind what they were for."""

    def disarm(self, purpose: str | None = None, step: Row | None = None) -> None:
        """Not done."""


class KeepsItsLock(Reference):
    """Holds on to its resource when it ends."""

    def finish(self, status: RunStatus) -> None:
        """The lock stays."""
        kept = list(self.locks)
        super().finish(status)
        self.locks += kept


class TellsInASecondTransaction(Reference):
    """Changes a row, and dies before the log knows."""

    def event(self, type_: str, step: Row | None = None, **payload: Any) -> None:
        """One event never gets there."""
        if type_ != "step.ready":
            super().event(type_, step, **payload)


ALL = Reference.__subclasses__()
