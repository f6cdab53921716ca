"""`client.pools`: sets of servers that provisioning takes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import Pool
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/pools"


@dataclass(frozen=True, kw_only=True)
class Pools:
    """Everything about pools."""

    session: Session

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Pool]:
        """One page."""
        return read_page(self.session, PATH, Pool, {"limit": limit, "cursor": cursor})

    def each(self) -> Iterator[Pool]:
        """All pools."""
        return read_every(self.session, PATH, Pool, {"limit": 100})

    def get(self, pool_id: str) -> Pool:
        """One pool, with how many of its servers are free."""
        return one(Pool, self.session.get(_path(pool_id)))

    def create(self, name: str, *, labels: Mapping[str, str] | None = None) -> Pool:
        """A new pool; raises `Conflict` when the name is taken."""
        return one(Pool, self.session.post(PATH, body(name=name, labels=labels)))

    def update(self, /, pool_id: str, *, if_match: str | None = None, **changes: object) -> Pool:
        """Change ``name`` or ``labels``."""
        return one(Pool, self.session.patch(_path(pool_id), body(**changes), if_match))

    def delete(self, pool_id: str) -> None:
        """Remove a pool; raises `Conflict` while it has servers."""
        self.session.delete(_path(pool_id))


def _path(pool_id: str) -> str:
    return f"{PATH}/{quote(pool_id, safe='')}"
