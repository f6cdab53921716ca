"""``python -m tests.chaos.races``: races on both databases; ends with 1 when one had no linear history."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.fault import BOTH, POSTGRES
from tests.chaos.races.mill import RACES, run
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.servers import new_postgres, remove


@contextmanager
def database(backend: str) -> Iterator[str]:
    """A fresh database of one kind."""
    if backend != POSTGRES:
        with tempfile.TemporaryDirectory() as folder:
            yield SqliteDatabases(Path(folder)).fresh()
        return
    server = new_postgres()
    server.start()
    try:
        yield PostgresDatabases(server).fresh()
    finally:
        remove(server)


def main() -> int:
    """Run what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.races", description="Races, and a verdict.")
    parser.add_argument("--rounds", type=int, default=200, help="races of each kind (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend", choices=BOTH, help="one database alone")
    parser.add_argument("--only", action="append", choices=list(RACES), help="one kind alone")
    asked = parser.parse_args()
    problems = 0
    for backend in BOTH if asked.backend is None else (asked.backend,):
        with database(backend) as url:
            tally = run(url, asked.rounds, asked.seed, only=asked.only or ())
        print(f"{backend}: {tally}", flush=True)
        problems += len(tally.problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
