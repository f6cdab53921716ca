"""`client.locks`: who holds which resource."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from windlass.models import Lock
from windlass.pages import read_every
from windlass.session import Session

PATH = "/v1/locks"


@dataclass(frozen=True, kw_only=True)
class Locks:
    """Everything about locks."""

    session: Session

    def list(self, *, resource: str | None = None) -> Iterator[Lock]:
        """All locks, or that of one resource ("server/srv_…")."""
        return read_every(self.session, PATH, Lock, {"resource": resource, "limit": 100})

    def release(self, resource: str, *, reason: str) -> None:
        """Take a lock away from its run; needs the scope admin and is written into the run's log."""
        self.session.delete(f"{PATH}/{quote(resource)}", content={"reason": reason})
