"""Filters of the list of runs that were saved under a name; each actor has views of its own."""

from typing import Any

from app.auth.keys import Principal
from app.domain.clock import rfc3339
from app.domain.errors import Conflict, NotFound
from app.domain.ids import new_id
from app.record.service import saved_views
from app.record.session import Tx
from app.services.context import AppContext

Object = dict[str, Any]
MOST = 100  # That one may have.


def list_(world: AppContext, principal: Principal) -> list[Object]:
    """The views of whoever asks, by name."""
    return [_shown(row) for row in world.db.read(lambda tx: saved_views.list_views(tx, principal.actor))]


def save(world: AppContext, principal: Principal, name: str, query: str) -> Object:
    """Keep a question under a name; what had that name is replaced. Raises `Conflict` for one too many."""

    def work(tx: Tx) -> Object:
        known = {row["name"] for row in saved_views.list_views(tx, principal.actor)}
        if name not in known and len(known) >= MOST:
            raise Conflict(f"There are {MOST} views already: delete one first.", most=MOST)
        return saved_views.put_view(tx, new_id("viw"), principal.actor, name, query)

    return _shown(world.db.write(work))


def delete(world: AppContext, principal: Principal, view_id: str) -> None:
    """Forget a view; raises `NotFound`."""
    if not world.db.write(lambda tx: saved_views.delete_view(tx, principal.actor, view_id)):
        raise NotFound(f"You have no view {view_id}")


def _shown(row: Object) -> Object:
    return {
        "id": row["id"],
        "name": row["name"],
        "query": row["query"],
        "createdAt": rfc3339(row["created_at"]),
    }
