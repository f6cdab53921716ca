"""What every driver process does: it triggers what a line of JSON on stdin asks for, and reports when it did.

Standard library alone: drivers run in the peers' environment as well as in Windlass's own.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class Driver(Protocol):
    """Triggers runs of one candidate."""

    def trigger(self, ms: int) -> None:
        """Start one run of five steps of so many milliseconds; returns when it is accepted."""

    def fan(self, count: int) -> None:
        """Start one run of so many parallel steps and a step after them all."""


def serve(driver: Driver) -> None:
    """Do what stdin asks until it ends; every answer holds moments of CLOCK_MONOTONIC in seconds."""
    _say(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.monotonic()
        if asked["do"] == "burst":
            _burst(driver, asked["runs"], asked["ms"], asked["clients"])
        elif asked["do"] == "fan":
            driver.fan(asked["count"])
        _say(begun=begun, triggered=time.monotonic())


def _burst(driver: Driver, runs: int, ms: int, clients: int) -> None:
    if clients == 1:
        for _ in range(runs):
            driver.trigger(ms)
        return
    with ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(lambda _: driver.trigger(ms), range(runs)):
            pass


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)
