"""Procrastinate: five jobs, each of which defers the next, over LISTEN and NOTIFY."""

import asyncio
import os
import sys
import uuid

import procrastinate

from tests.bench import body
from tests.bench.peers.driver import serve

STEPS = 5
URL = os.environ["BENCH_DATABASE"]
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL))


@app.task(name="step")
async def step(run: str, place: int, ms: int) -> None:
    """One step, which defers the next."""
    body.mark(run, place)
    await asyncio.sleep(ms / 1000)
    if place < STEPS:
        await step.defer_async(run=run, place=place + 1, ms=ms)


class Defers:
    """Defers the first job of every run."""

    def __init__(self) -> None:
        app.open()

    def trigger(self, ms: int) -> None:
        """Defer a line."""
        step.defer(run=str(uuid.uuid4()), place=1, ms=ms)

    def fan(self, count: int) -> None:
        """Not measured."""
        raise NotImplementedError(count)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        with app.open():
            app.schema_manager.apply_schema()
    elif sys.argv[1] == "driver":
        serve(Defers())
    else:
        app.run_worker(concurrency=int(os.environ["BENCH_SLOTS"]), delete_jobs="never")
