"""What is wrong: broken invariants, and queues that nobody serves, each with what to do about it."""

from app.record.apps import doctor as apps
from app.record.batches import doctor as batches
from app.record.runs.doctor import findings as of_runs
from app.record.session import Tx
from app.services import workers
from app.services.context import AppContext

Finding = dict[str, object]  # invariant, run, what, todo.
KEPT_S = 30.0  # How old the findings of an answer may be: looking at everything takes a while.


def findings(tx: Tx) -> list[Finding]:
    """Everything that does not hold; empty when all is well."""
    unserved = workers.unserved(tx, needed=())
    return [*of_runs(tx), *batches.findings(tx), *apps.findings(tx), *map(_unserved, unserved)]


def lately(world: AppContext) -> list[Finding]:
    """The same, as it was within the last half minute."""
    found: list[Finding] = world.db.remembered("doctor", findings, for_s=KEPT_S)
    return found


def _unserved(queue: str) -> Finding:
    return {
        "invariant": "workers",
        "run": "",
        "what": f"something waits in the queue {queue}, and nobody serves it",
        "todo": f"start a worker host: windlass worker, or windlass worker --queue {queue}",
    }
