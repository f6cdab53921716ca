"""Triggers Celery chains; for the naive style it stores the run's steps first."""

import sys
import uuid

from celery import chain, chord

from tests.bench.peers import celery_app
from tests.bench.peers.celery_app import NAIVE, SCHEMA, database, member, step
from tests.bench.peers.driver import serve

STEPS = 5


class Chains:
    """A publisher."""

    def trigger(self, ms: int) -> None:
        """Publish a chain of five tasks."""
        run = str(uuid.uuid4())
        places = range(1, STEPS + 1)
        if NAIVE:
            database().execute(
                "INSERT INTO step SELECT %s, place, 'pending' FROM generate_series(1, %s) place", (run, STEPS)
            )
        chain(*(step.si(run, place, ms) for place in places)).apply_async()

    def fan(self, count: int) -> None:
        """Publish a chord."""
        run = str(uuid.uuid4())
        members = [member.si(run, place) for place in range(1, count + 1)]
        chord(members, app=celery_app.app)(step.si(run, 0, 0))


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        database().execute(SCHEMA)
    else:
        serve(Chains())
