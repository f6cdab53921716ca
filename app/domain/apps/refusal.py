"""A request that is refused: nothing was written, and the status tells the client whether to come again."""

from collections.abc import Mapping


class Refused(Exception):
    """One refusal. The DevKit's client reads the status and ``meta``: a 4xx is final, a 5xx comes again."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, meta: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.meta = meta


def bad(message: str) -> Refused:
    """A request that can never be right."""
    return Refused(400, message, code="WF_BAD_REQUEST")


def run_not_found(run_id: str) -> Refused:
    """A run that this application does not have."""
    return Refused(404, f"Run {run_id} not found", code="WF_RUN_NOT_FOUND")
