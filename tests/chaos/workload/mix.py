"""The seeded mix of runs: order number n of a seed is the same in every campaign with that seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

PACES = (0, 0, 1, 5, 10, 20, 50)
RESOURCES = 6
UNNUMBERED = 0  # `Users` gives the number.
FIRST_DEMAND = 1_000_000  # Orders from this number on were demanded by a fault, not by the mix.
WEIGHTS = {"line": 30, "fused": 15, "group": 10, "map": 10, "job": 8, "locked": 12, "once": 10}
AGAIN = {kind: "parallel" if kind == "group" else "two" for kind in WEIGHTS}  # Where a retry may begin.


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run to ask for, and what to do about it."""

    number: int
    type: str
    given: dict[str, Any]
    resource: str | None = None
    on_failure: str | None = None
    header: bool = False  # The key travels as a header instead of in the body.
    twice: bool = False  # The same request is made again, and another one under the same key.
    cancel_after_ms: int | None = None
    cancel_twice: bool = False
    retry: str | None = None  # From where a failed run is retried: a step, or "start".
    retry_twice: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The body that asks for it."""
        numbered = {"order": self.number} if self.type.startswith("chaos.") else {}
        body: dict[str, Any] = {"type": self.type, "input": {**self.given, **numbered}}
        if self.resource is not None:
            body["resourceId"] = self.resource
        if self.on_failure is not None:
            body["onFailure"] = self.on_failure
        return body


@dataclass(frozen=True)
class Mix:
    """The orders of one seed."""

    seed: int
    weights: dict[str, int] = field(default_factory=lambda: dict(WEIGHTS))

    def order(self, number: int) -> Order:
        """The order with this number, from 1."""
        rng = Random(f"{self.seed}/{number}")
        kind = rng.choices(list(self.weights), list(self.weights.values()))[0]
        given = _given(kind, rng)
        fails = given.get("fails", 0)
        retry = rng.choice(["start", AGAIN[kind]]) if fails and rng.random() < 0.25 else None
        cancel = rng.randint(0, 250) if rng.random() < 0.06 else None
        return Order(
            number=number,
            type=f"chaos.{kind}",
            given=given,
            resource=f"r{rng.randrange(RESOURCES)}" if kind == "locked" else None,
            on_failure="hold" if fails and rng.random() < 0.1 else None,
            header=rng.random() < 0.2,
            twice=rng.random() < 0.04,
            cancel_after_ms=cancel,
            cancel_twice=rng.random() < 0.3,
            retry=retry if cancel is None else None,
            retry_twice=rng.random() < 0.4,
        )


def _given(kind: str, rng: Random) -> dict[str, Any]:
    given: dict[str, Any] = {"pace": rng.choice(PACES)}
    if kind == "map":
        given |= {"items": list(range(rng.choice([0, 1, 2, 3, 5, 8]))), "join": _join(rng)}
    if kind == "group":
        given |= {"join": _join(rng), "limit": rng.choice([None, None, 1, 2])}
    if kind == "job":
        given |= {"polls": rng.randint(1, 3), "hook": rng.random() < 0.4}
    if kind == "once":
        given |= {"blind": rng.random() < 0.15}
    if kind in ("line", "locked", "fused", "job") and rng.random() < 0.2:
        given |= {"shaky": rng.choice([1, 2, 5]), "times": rng.randint(1, 2)}
    if rng.random() < 0.15:
        given |= {"fails": rng.choice([2, 5] if kind not in ("line", "locked") else [2, 3, 5])}
        given |= {"clean": rng.random() < 0.3, "stiff": rng.random() < 0.3}
    elif kind in ("map", "group") and rng.random() < 0.15:
        given |= {"lame": rng.choice([1, 2])}
    return given


def _join(rng: Random) -> str:
    return rng.choice(["all", "all", "any", "collect", "two"])
