"""Odd texts, the requests that carry them, and where a text is read back."""

from app.api.v1 import examples

CODE_RUN, SPARE_RUN, WORKFLOW = "run_open", "run_spare", "known"
PLAIN = "plain"  # Read back wherever an odd text has to be.
TEXTS = {
    "nul": "a\0b",
    "half a pair": "a\ud800b",
    "pairs the wrong way round": "\udc00\ud800",
    "rare": "\ufeff\U0001f600\U0010ffff\uffff é e\u0301 ﬁ İ ß \u202e\u200b",
    "quotes": "'\"\\`%_$(x);-- <script>{{7*7}}</script>",
    "breaks and controls": "a\r\nb\rc\n\x01\x1b[31m\x7f\x85\x1c\u2028\u2029",
    "blanks around": " \u00a0a\t ",
    "empty": "",
    "digits": "٤²",
    "number": "01.0e400",  # No id of a run: one that a test has made would be found by the next.
    "sealed": "$secret",
    "long": "x" * 300,
    "very long": "é" * 40_000,
    "odd": " \ufeff\U0001f600 e\u0301 '\"\\`%_$(x)-- <b>{{7*7}}</b>\r\n\x01\x85\u2028 ",
}
FEW_TEXTS = ("nul", "half a pair", "odd")  # Where the fields are those of an operation before.
BASES = {  # Where the example alone would be refused.
    "triggerWorkflow": {"workflowName": WORKFLOW, "input": [1]},
    "emitWorkflowEvent": {"runId": CODE_RUN, "eventType": "told", "payload": {}},
    "createWorkflowHook": {"runId": CODE_RUN, "name": "told", "action": "a", "metadata": {}},
    "createWebhook": {"url": "https://93.184.216.34/hook", "events": ["run.*"]},
    "createSchedule": {
        "name": "x",
        "type": "server.inspect",
        "resourceId": examples.SERVER_ID,
        "cron": "@daily",
    },
}
KEPT = {  # By operation: the places whose text is shown again.
    "startRun": "tags.0",
    "actOnType": "reason",
    "registerServer": "displayName description tags.0 persona systemId",
    "importServers": "0.displayName 0.description 0.tags.0 0.persona 0.systemId",
    "changeServer": "displayName description tags.0 persona systemId",
    "actOnServer": "image.checksum userData networkData tags.0",
    "createPool": "name labels.name labels.*",
    "changePool": "labels.name labels.*",
    "createCluster": "name displayName description tags.0 template credential config.name config.*",
    "scaleCluster": "tags.0",
    "upgradeCluster": "tags.0",
    "createVm": "name displayName description tags.0 hostname nics.0.network labels.name labels.*",
    "actOnVm": "tags.0",
    "changeManagementCluster": "name description",
    "createSchedule": "name workflowVersion tags.0",
    "changeSchedule": "workflowVersion tags.0",
    "pauseSchedule": "reason",
    "triggerWorkflow": "input.0 kwargs.name kwargs.* runId idempotencyKey",
    "changeWorkflowRun": "executionContext.name executionContext.*",
    "emitWorkflowEvent": "eventType payload correlationId",
    "createWorkflowHook": "name action metadata.name metadata.*",
    "createWebhook": "description",
    "changeWebhook": "description",
    "createKey": "name",
}
