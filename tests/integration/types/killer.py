"""A worker that is killed at a moment of a step, in this process: its claim stands, nothing is settled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from app.engine.transitions.claim import Claim
from app.providers.kube import Kube
from app.services.children import ChildRuns
from app.worker import loop
from app.worker.execute import Runner, perform
from app.worker.loop import Ended
from tests.support.driver import Driver

# Before the body; after an order was carried out and before anybody has noted it; after the body.
Moment = Literal["before", "amid", "after"]


class Killed(BaseException):
    """The worker is no more."""


@dataclass
class Mortal(Driver):
    """A driver one of whose workers dies at the moment it was told, once in each kind of call of a step.

    An operation has two: its body, and its polls.
    """

    condemned: tuple[str, str, Moment] | None = None  # Phase and key of a step, and when.
    now: Claim | None = None
    struck: list[str] = field(default_factory=list)

    def condemn(self, patch: pytest.MonkeyPatch, phase: str, key: str, moment: Moment) -> None:
        """Kill whoever does this step."""
        self.condemned = (phase, key, moment)
        patch.setattr(loop, "perform", self._perform)
        patch.setattr(Kube, "call", self._amid(Kube.call, lambda args: args[1] != "GET"))
        patch.setattr(ChildRuns, "start", self._amid(ChildRuns.start, lambda args: True))

    def deliver(self) -> Ended | None:
        """A link whose worker dies is noticed, as the reconciler would."""
        try:
            return super().deliver()
        except Killed:
            assert self.now is not None
            step = self.now.step
            self.lose(step["run_id"], step["key"], step["phase"])
            return Ended(False, "killed")

    def _perform(self, runner: Runner, claimed: Claim) -> Any:
        self.now = claimed
        self._strike("before")
        done = perform(runner, claimed)
        self._strike("after")
        return done

    def _amid(self, call: Callable[..., Any], is_order: Callable[[Any], bool]) -> Callable[..., Any]:
        def ordered(*args: Any, **more: Any) -> Any:
            answer = call(*args, **more)
            if is_order(args):
                self._strike("amid")
            return answer

        return ordered

    def _strike(self, moment: Moment) -> None:
        step = self.now.step if self.now else {}
        kind = "poll" if step.get("ref") is not None and step["phase"] == "forward" else "body"
        if self.condemned == (step.get("phase"), step.get("key"), moment) and kind not in self.struck:
            self.struck.append(kind)
            raise Killed
