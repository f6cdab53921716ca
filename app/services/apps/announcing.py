"""Deliveries of webhooks about the ends of runs of apps: which run and how it ended, never its payloads."""

from typing import Any

from app.domain.apps.decide import stamp
from app.domain.apps.words import ENDINGS, TOLD
from app.record.apps.scope import Scope
from app.record.service import deliveries
from app.record.session import Tx
from app.services import webhook_payload

EVENTS = {ENDINGS[kind]: event for kind, event in TOLD.items()}
Row = dict[str, Any]


def announce(tx: Tx, scope: Scope, run: Row) -> None:
    """Write the deliveries about a run that has just ended; the reconciler publishes for them in a second."""
    event = EVENTS.get(run["status"])
    if event is None:
        return
    data = {
        "app": scope.app,
        "runId": run["id"],
        "workflowName": run["workflow"],
        "deploymentId": run["deployment"],
        "status": run["status"],
        "createdAt": stamp(run["created_at"]),
        "startedAt": None if run["started_at"] is None else stamp(run["started_at"]),
        "completedAt": stamp(run["completed_at"]),
    }
    deliveries.announce(tx, event, webhook_payload.rendered(event, run["completed_at"], data))
