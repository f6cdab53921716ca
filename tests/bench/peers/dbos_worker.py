"""A DBOS process that serves the queue until it is stopped; `prepare` makes the schema and ends."""

import os
import signal
import sys

from tests.bench.peers import dbos_app

if __name__ == "__main__":
    dbos_app.launch()
    if sys.argv[1] == "serve":
        signal.pause()
    os._exit(0)  # Its threads would otherwise hold the process.
