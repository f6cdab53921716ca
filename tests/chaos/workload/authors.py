"""What a client of code workflows does: starts a run under a key, sends its signals, perhaps cancels it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.workload.client import Client, Request
from tests.chaos.workload.mix import Order

RUNS = "/api/workflows/runs"


@dataclass(frozen=True, kw_only=True)
class Author:
    """One client; ``rest`` waits for so many seconds, or until the workload ends."""

    client: Client
    seed: int
    rest: Callable[[float], object]

    def start(self, order: Order) -> Request:
        """Start the run and do what its order demands."""
        rng = Random(f"{self.seed}/code/{order.number}")
        body = {"workflowName": order.type, "input": [order.given]}
        key = f"chaos-{self.seed}-{order.number}"
        asked = self.client.ask(Request(kind="trigger", path=RUNS, body=body, key=key, order=order.number))
        if asked.run_id is None:
            return asked
        for word in range(order.given.get("words", 0)):
            self.rest(rng.uniform(0, order.given.get("timeout", 200) / 500))
            self.send(asked.run_id, word, times=rng.choice([1, 1, 2]))
        if order.cancel_after_ms is not None:
            self.rest(order.cancel_after_ms / 1000)
            body = {"reason": "chaos"}
            self.client.ask(
                Request(kind="cancel", path=f"/v1/workflows/runs/{asked.run_id}/cancel", body=body)
            )
        return asked

    def send(self, run_id: str, word: int, *, times: int = 1) -> None:
        """Send a signal, under one key however often."""
        path, key = f"{RUNS}/{run_id}/signals", f"word-{word}"
        for _ in range(times):
            body = {"name": "word", "data": word}
            self.client.ask(Request(kind="signal", path=path, body=body, key=key))
