"""The messages of one run: where it was invoked, and what becomes of them when somebody acts on the run."""

from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from app.domain.apps.routes import workflow_queue
from app.record.apps import numbers
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_message


def origin(tx: Tx, scope: Scope, run: dict[str, Any]) -> str:
    """The queue of the oldest message that invoked the run's workflow, or the one named after it."""
    found = select(app_message.c.queue).where(scope.owns(app_message), app_message.c.run_id == run["id"])
    named = _invokes("workflow")
    # A client may have a namespace in the names of its queues, which the name of the workflow does not tell.
    queue = tx.value(found.where(named).order_by(app_message.c.id).limit(1))
    return str(queue or workflow_queue(run["workflow"]))


def invoke(tx: Tx, scope: Scope, *, queue: str, run_id: str, version: str, payload: bytes) -> int:
    """A message of the service itself that invokes a workflow, due at once; its number."""
    number = numbers.next_message(tx)
    values = {
        "id": number,
        "queue": queue,
        "run_id": run_id,
        "version": version,
        "payload": payload,
        "state": "open",
        "due_at": tx.now,
        "created_at": tx.now,
    }
    tx.execute(app_message.insert().values(**scope.key, **values))
    return number


def hasten(tx: Tx, scope: Scope, run_id: str) -> int:
    """Those that invoke it at a later time are due now; one that is being delivered keeps its lease."""
    mine = update(app_message).where(scope.owns(app_message), app_message.c.run_id == run_id)
    mine = mine.where(or_(_invokes("workflow"), _invokes("step")))  # Queues of other names are the app's own.
    # Fence 0: never claimed. Of any other message the time may be the end of a lease, and a second process
    # would deliver it while the first one still does.
    later = mine.where(app_message.c.state == "open", app_message.c.fence == 0, app_message.c.due_at > tx.now)
    return tx.execute(later.values(due_at=tx.now)).rowcount


def _invokes(kind: str) -> ColumnElement[bool]:
    """The condition that a message is on a queue of workflows or of steps."""
    name = rf"\_wkf\_{kind}\_%"
    plain, namespaced = (app_message.c.queue.like(start + name, escape="\\") for start in (r"\_", r"\_\_%"))
    return or_(plain, namespaced)
