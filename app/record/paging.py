"""One way to page through every list: newest first, then by id, by a keyset, never counted to the end.

The keys of a page are looked for first, and only its own rows are read: an index answers the first part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select, tuple_, union_all

from app.record.session import Tx

EXACT_TOTAL = 10_000

_PLAN_ANEW = select(
    *(
        func.set_config(name, value, True)
        for name, value in (
            ("plan_cache_mode", "force_custom_plan"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
        )
    )
)

Row = dict[str, Any]
Condition = Sequence[ColumnElement[bool]]
Newest = tuple[ColumnElement[Any], ColumnElement[Any]]  # What a list is ordered by, descending: time, id.


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


def page(
    tx: Tx,
    table: FromClause,
    where: Sequence[ColumnElement[bool]],
    window: Window,
    *,
    columns: Sequence[ColumnElement[Any]] = (),
    newest: Newest | None = None,
    either: Sequence[Condition] = (),
) -> Page:
    """The rows of a table or subquery with ``created_at`` and ``id`` that match, newest first.

    ``columns`` are those of a row, all unless given; ``newest`` stands for the two in another table.
    ``either``: one of these conditions must hold as well; no row may meet two of them. Each is asked by
    itself, along an index of its own, and what they find is merged.
    """
    at, id_ = newest or (table.c.created_at, table.c.id)
    whole = select(at.label("at"), id_.label("id")).where(*where).order_by(at.desc(), id_.desc())
    lanes = [whole.where(*one) for one in either] or [whole]
    following = lanes
    if window.after is not None:
        following = [one.where(tuple_(at, id_) < window.after) for one in lanes]
    keys = _keys(following, window).subquery()
    query = select(*(columns or table.c)).join_from(keys, table, table.c.id == keys.c.id)
    query = query.where(table.c.tenant_id == tx.tenant).order_by(keys.c.at.desc(), keys.c.id.desc())
    rows, more = tx.rows(query), False
    if len(rows) > window.limit:
        rows, more = rows[: window.limit], True
    is_all = not (more or window.offset or window.after)
    total, estimated = (len(rows), False) if is_all else _total(tx, table, lanes)
    return Page(rows=rows, more=more, total=total, estimated=estimated)


def plan_anew(tx: Tx) -> None:
    """Have what this transaction still asks planned for its very values, and done by one process.

    PostgreSQL plans a repeated statement for any values, though what suits a rare one is slow for a frequent
    one; and to start helpers takes longer than an answer may.
    """
    if tx.dialect == "postgresql":
        tx.execute(_PLAN_ANEW)


def _keys(lanes: Sequence[Select[Any]], window: Window) -> Select[Any]:
    """Time and id of each row of a page; of several lanes the first rows of each are merged."""
    if len(lanes) == 1:
        return lanes[0].limit(window.limit + 1).offset(window.offset or None)
    # SQLite wants what is ordered and limited to stand in a subquery.
    first = [one.limit(window.offset + window.limit + 1).subquery() for one in lanes]
    merged = union_all(*(select(one.c.at, one.c.id) for one in first)).subquery()
    ordered = select(merged.c.at, merged.c.id).order_by(merged.c.at.desc(), merged.c.id.desc())
    return ordered.limit(window.limit + 1).offset(window.offset or None)


def _total(tx: Tx, table: FromClause, lanes: Sequence[Select[Any]]) -> tuple[int, bool]:
    """How many match: exactly, or from so many on a guess.

    The guess is: as many rows an hour as the newest ones show, back to the oldest row of all.
    """
    counted = [one.limit(EXACT_TOTAL + 1).subquery() for one in lanes]
    each = union_all(*(select(func.count(), func.max(one.c.at), func.min(one.c.at)) for one in counted))
    found = [(int(total), newest, deep) for total, newest, deep in tx.connection.execute(each)]
    if max(total for total, *_ in found) <= EXACT_TOTAL:
        return sum(total for total, *_ in found), False
    oldest = tx.value(select(func.min(table.c.created_at)).where(table.c.tenant_id == tx.tenant))
    return sum(_guess(*one, oldest) for one in found), True


def _guess(total: int, newest: int, deep: int, oldest: int) -> int:
    """How many a lane has, of which so many were counted from the newest to the deepest."""
    if total <= EXACT_TOTAL:
        return total
    return max(total, int(EXACT_TOTAL * max(1.0, (newest - oldest) / max(1, newest - deep))))
