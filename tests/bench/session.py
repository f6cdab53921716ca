"""A candidate at work: its processes started and warm, commands to its drivers, what it cost, what it did."""

from typing import TYPE_CHECKING

from tests.bench.candidates import Candidate

if TYPE_CHECKING:
    from tests.bench.stage import Stage


class Session:
    """The processes of one candidate on a fresh database."""

    def __init__(self, stage: "Stage", candidate: Candidate, slots: int | None) -> None:
        self._stage, self.candidate, self.slots = stage, candidate, slots

    def serves(self, candidate: str, slots: int | None) -> bool:
        """Whether this is the session asked for."""
        return (self.candidate.name, self.slots) == (candidate, slots)

    def start(self) -> None:
        """Start everything."""

    def stop(self) -> None:
        """End all processes."""
