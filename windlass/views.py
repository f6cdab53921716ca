"""`client.views`: filters of the list of runs that one has given a name."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from windlass.decode import Model
from windlass.pages import one
from windlass.session import Session

PATH = "/v1/views"


@dataclass(frozen=True, kw_only=True)
class SavedView(Model):
    """A saved view: ``query`` is the part after the question mark of the console's page of runs."""

    id: str = ""
    name: str = ""
    query: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Views:
    """Views of whoever holds the key."""

    session: Session

    def list(self) -> tuple[SavedView, ...]:
        """All of them, by name."""
        return tuple(SavedView.of(each) for each in self.session.get(PATH).data)

    def save(self, name: str, query: str) -> SavedView:
        """Keep filters under a name; a view of that name is replaced."""
        return one(SavedView, self.session.post(PATH, {"name": name, "query": query}))

    def delete(self, view_id: str) -> None:
        """Forget one."""
        self.session.delete(f"{PATH}/{quote(view_id, safe='')}")
