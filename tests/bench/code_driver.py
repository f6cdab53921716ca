"""Triggers code workflows the way Windlass's API does: through the use case, in the client's own process."""

import sys

from app.auth.keys import LOCAL
from app.config import load
from app.services import presence, workflows
from app.services.workflows import CodeOrder
from app.wiring import wire
from tests.bench import authored
from tests.bench.peers.driver import serve
from windlass.workflow import Definition, definitions

LINES = {"plain": authored.line, "undo": authored.line_undo}


class Code:
    """A process wired as one of the API's."""

    def __init__(self, line: Definition) -> None:
        self._world, self._line = wire(load(), role="api"), line
        presence.announce(self._world, definitions().values())  # As workers do, which start later.

    def trigger(self, ms: int) -> None:
        """Start a line."""
        workflows.trigger(self._world, LOCAL, CodeOrder(workflow=self._line.name, args=[ms]))

    def fan(self, count: int) -> None:
        """Not measured: W3 is a question to declared workflows."""
        raise NotImplementedError


if __name__ == "__main__":
    serve(Code(LINES[sys.argv[1]]))
