"""`client.metrics`: runs in numbers."""

from dataclasses import dataclass

from windlass.models import Metrics
from windlass.session import Session


@dataclass(frozen=True, kw_only=True)
class MetricsOf:
    """Numbers about runs that have ended."""

    session: Session

    def get(self, type: str | None = None, *, since: str | None = None) -> Metrics:
        """Of one type or of all, since a date (30 days unless told)."""
        answer = self.session.get("/v1/workflows/metrics", {"type": type, "since": since})
        return Metrics.of(answer.data)
