"""One example of each object of code workflows, for the OpenAPI document."""

from app.api.v1.examples import AT, RUN_ID

SIGNAL_ID = "sig_01kc9v5q8w3f7x2m4n6p8r0t1v"
ORDER: dict[str, object] = {"workflowName": "send-welcome-email", "input": [{"userId": "user-123"}]}
RUN: dict[str, object] = {
    "runId": RUN_ID,
    "status": "running",
    "detail": "waiting",
    "deploymentId": "1",
    **ORDER,
    "waitingOn": {
        "kind": "signal",
        "step": "manager-approval",
        "text": "Waits for the signal manager-approval.",
    },
    "maxEvents": 10000,
    "createdAt": AT,
    "updatedAt": AT,
    "startedAt": AT,
}
EMITTED: dict[str, object] = {
    "runId": RUN_ID,
    "eventType": "step-started",
    "payload": {"step": "process-data"},
}
EVENT: dict[str, object] = {"eventId": f"{RUN_ID}.7", "seq": 7, **EMITTED, "createdAt": AT}
HOOK_ORDER: dict[str, object] = {
    "runId": RUN_ID,
    "name": "document-approval",
    "action": "approve",
    "metadata": {"documentId": "doc-1"},
}
HOOK: dict[str, object] = {
    "hookId": "hook_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "token": "V2luZGxhc3MgaG9vayB0b2tlbiBvZiAyNTYgYml0cw0",
    **HOOK_ORDER,
    "createdAt": AT,
}
DEFINITION: dict[str, object] = {
    "workflowName": "send-welcome-email",
    "deploymentId": "1",
    "description": "Greet a new user.",
    "maxEvents": 10000,
    "stepTimeout": 300000,
    "served": True,
    "createdAt": AT,
    "updatedAt": AT,
}
