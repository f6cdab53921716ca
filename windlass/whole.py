"""`client.service`: search, what the service is, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windlass.operating import Finding, Hit
from windlass.session import Session


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service as a whole."""

    session: Session

    def search(self, text: str, *, limit: int | None = None) -> tuple[Hit, ...]:
        """What a text may mean: runs, resources, schedules, types; the best first."""
        answer = self.session.get("/v1/search", {"q": text, "limit": limit})
        return tuple(Hit.of(each) for each in answer.data)

    def about(self) -> Mapping[str, Any]:
        """Release, schema, sizes and retention; the settings in force for administrators."""
        found: Mapping[str, object] = self.session.get("/v1/about").data
        return found

    def doctor(self) -> tuple[Finding, ...]:
        """What does not hold, and what to do about it; empty when all is well."""
        return tuple(Finding.of(each) for each in self.session.get("/v1/doctor").data["findings"])
