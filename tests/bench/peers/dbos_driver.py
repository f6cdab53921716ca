"""Starts DBOS workflows: in this very process (`direct`), or on the queue that other processes serve."""

import os
import sys

from dbos import DBOS, DBOSClient

from tests.bench.peers import dbos_app
from tests.bench.peers.driver import Driver, serve


class Direct:
    """An executor that runs what it starts."""

    def __init__(self) -> None:
        dbos_app.launch()

    def trigger(self, ms: int) -> None:
        """Start a line here."""
        DBOS.start_workflow(dbos_app.line, ms)

    def fan(self, count: int) -> None:
        """Start a fan-out here, with its members."""
        DBOS.start_workflow(dbos_app.fan, count)


class Queued:
    """A client that runs nothing."""

    def __init__(self) -> None:
        self._client = DBOSClient(system_database_url=os.environ["BENCH_DATABASE"])

    def trigger(self, ms: int) -> None:
        """Enqueue a line."""
        self._client.enqueue({"queue_name": dbos_app.QUEUE, "workflow_name": "line"}, ms)

    def fan(self, count: int) -> None:
        """Enqueue a fan-out."""
        self._client.enqueue({"queue_name": dbos_app.QUEUE, "workflow_name": "queued_fan"}, count)


if __name__ == "__main__":
    kinds: dict[str, type[Driver]] = {"direct": Direct, "queue": Queued}
    serve(kinds[sys.argv[1]]())
    os._exit(0)  # Its threads would otherwise hold the process.
