"""A refused request: nothing was written, and the status tells the client whether to try again."""

from collections.abc import Mapping


class Refused(Exception):
    """A refusal. The DevKit's client reads the status and ``meta``: a 4xx is final, a 5xx is retried."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, meta: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.meta = meta


def bad(message: str) -> Refused:
    """The refusal (400) for a request that can never succeed."""
    return Refused(400, message, code="WF_BAD_REQUEST")


def run_not_found(run_id: str) -> Refused:
    """The refusal (404) for a run that this application does not have."""
    return Refused(404, f"Run {run_id} not found", code="WF_RUN_NOT_FOUND")
