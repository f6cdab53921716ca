"""Views that people saved: questions to a list, by name."""

from typing import Any

from sqlalchemy import delete, select

from app.record.session import Tx
from app.record.tables import saved_view

Row = dict[str, Any]


def list_views(tx: Tx, actor: str) -> list[Row]:
    """The views of somebody, by name."""
    where = (saved_view.c.tenant_id == tx.tenant, saved_view.c.actor == actor)
    return tx.rows(select(saved_view).where(*where).order_by(saved_view.c.name))


def put_view(tx: Tx, view_id: str, actor: str, name: str, query: str) -> Row:
    """Store a view; one of the same name gets the new question and keeps its id."""
    row = {"id": view_id, "actor": actor, "name": name, "query": query, "created_at": tx.now}
    new = tx.insert(saved_view).values(tenant_id=tx.tenant, **row)
    tx.execute(
        new.on_conflict_do_update(index_elements=["tenant_id", "actor", "name"], set_={"query": query})
    )
    where = (saved_view.c.tenant_id == tx.tenant, saved_view.c.actor == actor, saved_view.c.name == name)
    return tx.rows(select(saved_view).where(*where))[0]


def delete_view(tx: Tx, actor: str, view_id: str) -> bool:
    """Remove a view of somebody; whether there was one."""
    where = (saved_view.c.tenant_id == tx.tenant, saved_view.c.actor == actor, saved_view.c.id == view_id)
    return tx.execute(delete(saved_view).where(*where)).rowcount == 1
