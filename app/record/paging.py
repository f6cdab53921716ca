"""One way to page through every list: newest first, then by id, by a keyset, never counted to the end."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select, tuple_

from app.record.session import Tx

EXACT_TOTAL = 10_000

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a list is wanted."""

    limit: int = 20
    offset: int = 0
    after: tuple[int, str] | None = None  # createdAt and id of the last row of the page before.


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list and what is known of the rest."""

    rows: list[Row]
    total: int
    estimated: bool = False  # Whether the total is a guess.
    more: bool = False


def page(tx: Tx, table: FromClause, where: list[ColumnElement[bool]], window: Window) -> Page:
    """The rows of a table or subquery with ``created_at`` and ``id`` that match, newest first."""
    newest = (table.c.created_at.desc(), table.c.id.desc())
    query: Select[Any] = select(table).where(*where).order_by(*newest).limit(window.limit + 1)
    if window.after is not None:
        query = query.where(tuple_(table.c.created_at, table.c.id) < window.after)
    rows = tx.rows(query.offset(window.offset or None))
    total, estimated = _total(tx, table, where)
    return Page(rows=rows[: window.limit], more=len(rows) > window.limit, total=total, estimated=estimated)


def _total(tx: Tx, table: FromClause, where: list[ColumnElement[bool]]) -> tuple[int, bool]:
    # In the order of the list: without one SQLite prefers to walk some covering index from end to end.
    newest = (table.c.created_at.desc(), table.c.id.desc())
    counted = select(table.c.id).where(*where).order_by(*newest).limit(EXACT_TOTAL + 1).subquery()
    total: int = int(tx.value(select(func.count()).select_from(counted)))
    if total <= EXACT_TOTAL:
        return total, False
    return max(EXACT_TOTAL + 1, _by_density(tx, table, where)), True


def _by_density(tx: Tx, table: FromClause, where: list[ColumnElement[bool]]) -> int:
    """Guess a total: as many rows an hour as the newest ones show, back to the oldest row of all."""
    matching = select(table.c.created_at).where(*where).order_by(table.c.created_at.desc(), table.c.id.desc())
    newest, deep = tx.value(matching.limit(1)), tx.value(matching.offset(EXACT_TOTAL - 1).limit(1))
    oldest = tx.value(select(func.min(table.c.created_at)).where(table.c.tenant_id == tx.tenant))
    return int(EXACT_TOTAL * max(1.0, (newest - oldest) / max(1, newest - deep)))
