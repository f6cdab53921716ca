"""One run with all that belongs to it, as the judges of invariants see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.domain.fold import State, fold

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run with everything that belongs to it."""

    now: int
    run: Row
    steps: Sequence[Row]
    events: Sequence[Row]
    timers: Sequence[Row] = ()
    hooks: Sequence[Row] = ()
    signals: Sequence[Row] = ()
    locks: Sequence[Row] = ()
    tickets: Sequence[Row] = ()
    deliveries: Sequence[Row] = ()
    endpoints: Sequence[Row] = ()  # webhook_id and event of what told of this run from its beginning on.
    poison_limit: int = 3
    budgets: Mapping[str, int] = field(default_factory=dict)  # Attempts that a step may have, by its name.

    @property
    def status(self) -> str:
        """The run's fine status."""
        return str(self.run["status"])

    @cached_property
    def told(self) -> State:
        """The state that the log tells of; raises `KeyError` or `TypeError` when it cannot be folded."""
        return fold(self.events)

    def forward(self) -> list[Row]:
        """The forward steps, in order."""
        return sorted((row for row in self.steps if row["phase"] == "forward"), key=lambda r: r["ordinal"])

    def undos(self) -> list[Row]:
        """The undo steps, in order."""
        return sorted((row for row in self.steps if row["phase"] == "comp"), key=lambda r: r["ordinal"])

    def lines(self) -> dict[tuple[str, str], list[Row]]:
        """The steps of each phase and branch, in order."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in [*self.forward(), *self.undos()]:
            found.setdefault((row["phase"], row["branch"]), []).append(row)
        return found

    def armed(self, purpose: str, step: Row | None = None) -> bool:
        """Whether a timer of this purpose is open."""
        where = (step["phase"], step["key"]) if step is not None else (None, None)
        return any(
            one["purpose"] == purpose and (one["phase"], one["step"]) == where and is_open(one)
            for one in self.timers
        )


def is_open(timer: Row) -> bool:
    """Whether a timer has neither fired nor been cancelled."""
    return timer["fired_at"] is None and timer["cancelled_at"] is None
