"""Who is measured: what it is, with which settings, and what it must have done when it says that it is done.

Counts are asked in SQL after every measurement. ``commits`` is the least number of writing transactions a run
of five steps can have when every outcome is durable before the next step begins; a candidate that needs
fewer does not record what it claims.
"""

from dataclasses import dataclass

STEPS = 5  # Of a line.


@dataclass(frozen=True)
class Candidate:
    """One competitor."""

    name: str
    what: str  # For people.
    settings: str  # For people: what was chosen, beyond defaults.
    driver: tuple[str, ...]  # ``python -m`` arguments of the process that triggers.
    drivers: int = 1  # How many of them share the triggers.
    workers: tuple[tuple[str, ...], ...] = ()  # ``python -m`` arguments of worker processes.
    ended: str = ""  # SQL: number of runs recorded as completed. Empty: records nothing.
    steps: str = ""  # SQL: number of steps recorded as completed.
    commits: int = 0  # Writing transactions of one run, at least.
    store: str = "postgres"


def _celery(style: str) -> tuple[str, ...]:
    return (
        "celery",
        "-A",
        "tests.bench.peers.celery_app",
        "worker",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "--loglevel",
        "ERROR",
        "-P",
        "prefork",
        "-c",
        "{slots}",
        "-n",
        f"{style}@%h",
    )


WINDLASS_ENDED = "SELECT count(*) FROM run WHERE status = 'completed'"
WINDLASS_STEPS = "SELECT count(*) FROM step WHERE status = 'completed' AND kind = 'task'"
ALL = (
    Candidate(
        name="windlass",
        what="this project; triggered through app.services in a client process",
        settings="as shipped: `windlass worker`",
        driver=("tests.bench.windlass_driver",),
        ended=WINDLASS_ENDED,
        steps=WINDLASS_STEPS,
        commits=STEPS + 1,
    ),
    Candidate(
        name="celery-bare",
        what="Celery chain of five tasks, nothing recorded",
        settings="prefork 2, no results, no gossip, mingle or heartbeat, hiredis",
        driver=("tests.bench.peers.celery_driver", "bare"),
        workers=(_celery("bare"),),
    ),
)
CANDIDATES = {candidate.name: candidate for candidate in ALL}
