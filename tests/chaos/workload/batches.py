"""Batches of local servers, and what people do to them at bad moments.

What a batch is follows from the seed and the number of its order, so it is the same in each campaign with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from tests.chaos.workload.client import Client, Request, together
from tests.chaos.workload.mix import Order

BATCHES = "/v1/workflows/batch"
KEY = "batch"  # The type of the order.
WORKFLOW = "batch.workflow"  # The type of its run.
POLICIES = ("rollback", "continue", "fail", "hold")
ENDED = frozenset({"Completed", "PartiallyCompleted", "Failed", "Cancelled", "RolledBack", "RollbackFailed"})
PATIENCE_S = 90.0
CHAIN = 4  # Operations of a batch that is rolled back as a whole.


@dataclass(frozen=True)
class Batcher:
    """A client that submits a batch and does what its order demands."""

    client: Client
    seed: int
    rest: Callable[[float], Any]  # Waits; true once the workload ends.

    def start(self, order: Order) -> Request:
        """Submit a batch as a client would; the request that did it."""
        rng = Random(f"{self.seed}/{order.number}")
        body = {"batch_workflow": definition(rng, order)}
        key = f"batch-{self.seed}-{order.number}"
        kind = "crowded" if order.given.get("names") else "batch"
        asked = self.client.ask(
            Request(kind=kind, path=f"{BATCHES}/submit", body=body, key=key, order=order.number), header=True
        )
        if asked.run_id is not None and order.given.get("then"):
            THEN[order.given["then"]](self, asked.run_id, rng)
        return asked

    def cancels(self, batch: str, rng: Random) -> None:
        """From two sides, at any moment of its life."""
        self.rest(rng.random())
        undo = rng.random() < 0.5
        self.together(batch, ("cancel", {"rollback": undo}), ("cancel", {}))

    def pauses(self, batch: str, rng: Random) -> None:
        """Paused while operations begin; then it goes on."""
        self.rest(rng.random() / 2)
        self.ask(batch, "pause", {})
        self.rest(rng.random())
        self.ask(batch, "resume", {})

    def rolls_back(self, batch: str, rng: Random) -> None:
        """As soon as it has ended, from two sides."""
        self._wait(batch)
        self.together(batch, ("rollback", {}), ("rollback", {}))

    def repeats(self, batch: str, rng: Random) -> None:
        """A retry and a rollback at the same moment."""
        self._wait(batch)
        self.together(batch, ("retry", {}), ("rollback", {}))

    def ask(self, batch: str, what: str, body: dict[str, Any]) -> None:
        """One action."""
        self.client.ask(Request(kind=f"batch-{what}", path=f"{BATCHES}/{batch}/{what}", body=body))

    def together(self, batch: str, *actions: tuple[str, dict[str, Any]]) -> None:
        """Actions at the same moment."""
        together(partial(self.ask, batch, what, body) for what, body in actions)

    def _wait(self, batch: str) -> None:
        waited = 0.0
        while waited < PATIENCE_S:
            shown = self.client.get(f"{BATCHES}/{batch}/progress")
            if (shown is not None and shown["status"] in ENDED) or self.rest(0.25):
                return
            waited += 0.25


THEN: dict[str, Callable[[Batcher, str, Random], None]] = {
    "cancel": Batcher.cancels,
    "pause": Batcher.pauses,
    "rollback": Batcher.rolls_back,
    "retry": Batcher.repeats,
}


def definition(rng: Random, order: Order) -> dict[str, Any]:
    """A random graph of local servers; ``names`` makes batches want the same ones."""
    given = order.given
    count = int(given.get("operations", 6))
    made = [_operation(rng, place, order) for place in range(count)]
    return {
        "name": f"chaos-{order.number}",
        "parallel_limit": int(given.get("limit", 3)),
        "retry_policy": {"max_attempts": 3, "initial_delay": 0.2, "max_delay": 1},
        "rollback_strategy": {"checkpoint_interval": 2},
        "operations": _chain(order) if given.get("chain") else made,
    }


def _chain(order: Order) -> list[dict[str, Any]]:
    """Servers that need each other, and a last operation that fails and has all of them undone."""
    made = []
    for place in range(CHAIN):
        fails = {"fail_attempts": 1, "permanent": True} if place == CHAIN - 1 else {}
        server = {"name": f"c{order.number}-{place}", "plan": "small", "zone": "here", "rehearsal": fails}
        needs = [{"id": f"op{place - 1}", "type": "hard"}] if place else []
        made.append(
            {
                "id": f"op{place}",
                "type": "server_batch",
                "provider": "local",
                "dependencies": needs,
                "on_failure": "rollback",
                "server_configs": [server],
            }
        )
    return made


def _operation(rng: Random, place: int, order: Order) -> dict[str, Any]:
    wide = bool(order.given.get("wide"))
    needs = rng.sample(range(place), min(place, rng.randint(0, 2))) if not wide else []
    kinds = [rng.choice(("hard", "hard", "soft", "optional")) for _ in needs]
    prefix = order.given.get("names") or f"b{order.number}"
    rehearsal = {
        "delay_seconds": 0 if wide else rng.choice([0, 0, 0.2]),
        "lost_answers": rng.choice([0, 0, 1]),
        "undo_fail_attempts": rng.choice([0, 0, 1]),
        **({"fail_attempts": 1, "permanent": True} if rng.random() < order.given.get("failing", 0.1) else {}),
    }
    server = {"name": f"{prefix}-{place}", "plan": "small", "zone": "here", "rehearsal": rehearsal}
    return {
        "id": f"op{place}",
        "type": "server_batch",
        "provider": "local",
        "dependencies": [
            {"id": f"op{one}", "type": kind} for one, kind in zip(sorted(needs), kinds, strict=True)
        ],
        "on_failure": "continue" if wide else rng.choice(POLICIES),
        "server_configs": [server],
    }
