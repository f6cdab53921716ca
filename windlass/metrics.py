"""`client.metrics`: runs in numbers."""

from dataclasses import dataclass

from windlass.models import Metrics
from windlass.session import Session


@dataclass(frozen=True, kw_only=True)
class MetricsOf:
    """Numbers about runs that have ended."""

    session: Session

    def get(
        self,
        type: str | None = None,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: str | None = None,
        breakdown: bool | None = None,
    ) -> Metrics:
        """Of one type or of all, since a date (30 days unless told).

        ``interval`` ("minute", "hour", "day" or "week") adds ``buckets``; ``breakdown`` adds the reasons by
        step and by resource, and how long steps took.
        """
        query = {"type": type, "since": since, "until": until, "interval": interval, "breakdown": breakdown}
        answer = self.session.get("/v1/workflows/metrics", query)
        return Metrics.of(answer.data)
