"""The messages of one run: its queue, and the messages of the actions replay and wake up."""

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
    # A client may use a namespace in the names of its queues, which the name of the workflow does not show.
    queue = tx.value(found.where(named).order_by(app_message.c.id).limit(1))
    return str(queue or workflow_queue(run["workflow"]))


def invoke(tx: Tx, scope: Scope, *, queue: str, run_id: str, version: str, payload: bytes) -> int:
    """Add a message of the service itself that invokes a workflow at once; returns its number."""
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
    """Make delayed messages that invoke the run due now; how many. One in delivery keeps its lease."""
    mine = update(app_message).where(scope.owns(app_message), app_message.c.run_id == run_id)
    mine = mine.where(or_(_invokes("workflow"), _invokes("step")))  # Queues of other names are the app's own.
    # Fence 0: never claimed. The due time of any other message may be the end of a lease, and a second
    # process would deliver the message while the first one still does.
    later = mine.where(app_message.c.state == "open", app_message.c.fence == 0, app_message.c.due_at > tx.now)
    return tx.execute(later.values(due_at=tx.now)).rowcount


def _invokes(kind: str) -> ColumnElement[bool]:
    """The condition that a message is on a queue of workflows or of steps."""
    name = rf"\_wkf\_{kind}\_%"
    plain, namespaced = (app_message.c.queue.like(start + name, escape="\\") for start in (r"\_", r"\_\_%"))
    return or_(plain, namespaced)
