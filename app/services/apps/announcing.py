"""Webhook deliveries about runs of apps that have ended: the run and its status, without its payloads."""

from typing import Any

from app.domain.apps.decide import stamp
from app.domain.apps.words import ENDINGS, WEBHOOK_EVENTS
from app.record.apps.scope import Scope
from app.record.service import deliveries
from app.record.session import Tx
from app.services import webhook_payload

EVENTS = {ENDINGS[kind]: event for kind, event in WEBHOOK_EVENTS.items()}
Row = dict[str, Any]


def announce(tx: Tx, scope: Scope, run: Row) -> None:
    """Write the deliveries for a run that has just ended; the reconciler publishes them within a second."""
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
