"""The runs that a projector starts: what changed, told once, and the polls of servers.

Changes wait in the row of their source. A run takes all that waits, in the transaction that forgets it, so
that nothing is told twice and nothing is lost, whichever projector dies when; and a source tells at most
every `COALESCE_MS`, so that ten thousand events of a minute are six runs.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.clock import rfc3339
from app.domain.ids import new_id
from app.domain.observed import MOST_NAMED
from app.engine.transitions.accept import Order, accept
from app.engine.transitions.journal import Message
from app.record.inventory import sources
from app.record.inventory.sources import SERVERS, Held
from app.record.runs import runs
from app.record.session import Tx

ACTOR = "usr_projector"
COALESCE_MS = 10_000


def is_due(tx: Tx, row: Mapping[str, Any]) -> bool:
    """Whether a source has something to tell, or its servers have nobody who asks them."""
    if row["told_at"] is not None and row["told_at"] > tx.now - COALESCE_MS:
        return False
    if row["kind"] != SERVERS:
        return bool(row["tally"])
    polling = runs.read_run(tx, row["run_id"]) if row["run_id"] else None
    return polling is None or polling["completed_at"] is not None


def tell(tx: Tx, held: Held, poll_ms: int) -> list[Message]:
    """Start the run that is due; what to ring for after the commit."""
    row = sources.locked(tx, held)
    if not is_due(tx, row):
        return []
    run_id = new_id("run")
    started = accept(tx, run_id, _order(row, poll_ms), ACTOR)
    sources.told(tx, row, run_id)
    return list(started.messages)


def _order(row: Mapping[str, Any], poll_ms: int) -> Order:
    if row["kind"] == SERVERS:
        return Order(type="sync.server-state", input={"everyMs": poll_ms})
    tally = row["tally"]
    told = {"kind": row["kind"], "counts": tally["counts"]}
    told |= {"since": rfc3339(tally["since"]), "until": rfc3339(tally["until"])}
    all_named = len(tally["objects"]) < MOST_NAMED  # Otherwise the run looks at everything there is.
    named = {"objects": tally["objects"]} if all_named else {}
    return Order(type="sync.cluster-state", resource_id=row["management_id"], input={**told, **named})
