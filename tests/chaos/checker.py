"""The checker: reads what four witnesses know, and reports what must not be.

The record is judged by the doctor (`app.record.runs.doctor`), whose invariants are those of the product;
the modules of `tests.chaos.checks` add what only the ledger, the client and the faults can show.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

from redis import Redis
from redis.exceptions import RedisError

from app.config import Settings
from app.record.batches import doctor as of_batches
from app.record.runs.doctor import findings
from app.record.session import Database
from tests.chaos.checks import batches, code, effects, promises, publications, recovery, rest, schedules
from tests.chaos.checks.evidence import Evidence, Finding

EVERY_RUN = 1_000_000
CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    promises.accepted,
    promises.answered,
    promises.served,
    promises.ended,
    promises.as_ordered,
    effects.intended,
    effects.settled,
    effects.happened,
    effects.ordered,
    effects.undone,
    effects.at_most_once,
    effects.rebooted,
    effects.zombies,
    rest.quiet,
    rest.counted,
    rest.exclusive,
    rest.published,
    publications.prompt,
    publications.kept,
    publications.timely,
    recovery.away,
    schedules.once,
    code.replayed,
    code.kept,
    code.signalled,
    code.fared,
    batches.limited,
    batches.ordered,
    batches.undone_in_reverse,
    batches.owned,
)


def check(evidence: Evidence) -> list[Finding]:
    """Everything that the witnesses together hold against the engine."""
    found = [one for check in CHECKS for one in check(evidence)]
    return found + list(recovery.slow(evidence, recovery.recoveries(evidence)))


def doctor(db: Database, settings: Settings) -> list[Finding]:
    """What the product's own doctor reports of every run, and the database of itself."""
    limit = settings.poison_limit
    reported = db.read(
        lambda tx: findings(tx, limit=EVERY_RUN, poison_limit=limit) + of_batches.findings(tx), patience_s=30
    )
    found = [Finding(number=one["invariant"], run_id=one["run"], what=one["what"]) for one in reported]
    if db.dialect == "sqlite":
        with closing(sqlite3.connect(str(db.url.database))) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                found.append(Finding(number="integrity", what=str(verdict)))
    return found


def messages(redis: Redis, prefix: str) -> dict[str, int]:
    """The messages that are left in queues, by key; empty when the broker does not answer."""
    try:
        keys = redis.scan_iter(match=f"{prefix}*", _type="list", count=1_000)
        found = {str(key): int(redis.llen(str(key))) for key in keys}
    except RedisError:
        return {}
    return {key: length for key, length in found.items() if "pidbox" not in key}
