"""From the name of a queue to the endpoint of a handler, and to the workflow."""

import re

NAME = re.compile(r"__(?:[a-z][a-z0-9]*_)?wkf_(workflow|step)_(.+)", re.DOTALL)
WORKFLOW_QUEUE = "__wkf_workflow_"
WEBHOOK = "webhook"


def endpoint(queue: str) -> str:
    """``workflow``, ``step``, or ``webhook`` for every other name."""
    found = NAME.fullmatch(queue)
    return found[1] if found else WEBHOOK


def workflow_of(queue: str) -> str | None:
    """The workflow that a workflow queue is named after; None for other queues."""
    found = NAME.fullmatch(queue)
    return found[2] if found and found[1] == "workflow" else None


def workflow_queue(workflow: str) -> str:
    """The queue that invokes a workflow."""
    return WORKFLOW_QUEUE + workflow
