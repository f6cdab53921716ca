"""Hooks: whoever has the token ends the wait, with one HTTP request."""

from typing import Any

from tests.examples.standins import Row, client, send_mail
from windlass import Context, workflow
from windlass.testing import Harness


class DocumentRejected(Exception):
    """The reviewer said no."""


def ask(reviewer: str, token: str) -> None:
    send_mail(reviewer, f"To decide, POST to /api/workflows/hooks/{token}")


def publish_document(document_id: str) -> Row:
    return client.collection("documents").update(document_id, {"published": True})


@workflow("document-approval")
def document_approval(ctx: Context, given: dict[str, Any]) -> Any:
    document_id = given["documentId"]
    hook = ctx.create_hook("document-approval", "approve", {"documentId": document_id})
    ctx.step("ask-reviewer", ask, "reviewer@example.org", hook.token)
    approval = ctx.wait_for_hook(hook)
    if not approval["approved"]:
        raise DocumentRejected("Document rejected")
    ctx.step("publish-document", publish_document, document_id)
    return {"published": True}


if __name__ == "__main__":
    with Harness() as h:
        run = h.start(document_approval, {"documentId": "doc-1"})
        h.execute_hook(run.token("document-approval"), {"approved": True})
        print(run.result())
