"""Triggers runs of Windlass the way its API does: through the use case, in the client's own process."""

from app.auth.keys import LOCAL
from app.config import load
from app.services import runs
from app.services.runs import Order
from app.wiring import wire
from tests.bench import types
from tests.bench.peers.driver import serve


class Windlass:
    """A process wired as one of the API's."""

    def __init__(self) -> None:
        self._world = wire(load(), role="api")

    def trigger(self, ms: int) -> None:
        """Start a line."""
        runs.start(self._world, LOCAL, Order(type=types.line.name, input={"ms": ms}))

    def fan(self, count: int) -> None:
        """Start a map with a step after it."""
        items = list(range(1, count + 1))
        runs.start(self._world, LOCAL, Order(type=types.fan.name, input={"items": items}))


if __name__ == "__main__":
    serve(Windlass())
