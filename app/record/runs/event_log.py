"""The log of a run as readers get it: by pages of bytes, so that nobody holds all of it in memory.

An event may have 256 KiB, and a log hundreds of thousands of events. A page ends after about a mebibyte,
however many events were asked for, and holds one event at least.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    null,
    select,
    type_coerce,
)

from app.domain.events import EventType
from app.domain.fold import UNFOLDED
from app.record.runs.event_rows import SMALL_BYTES, may_tell, unpacked, up_to
from app.record.session import Tx
from app.record.tables import event

PAGE_BYTES = 1_048_576
ROW_BYTES = 200  # What a row has beside its payload.
MOST_AT_A_TIME = 256  # Rows whose sizes are added up for one look.

Row = dict[str, Any]


def page(tx: Tx, run_id: str, *, after: int = 0, limit: int = 100, until: int | None = None) -> list[Row]:
    """What happened to a run after this event, oldest first: so many events, or as many as fit on a page."""
    found: list[Row] = []
    left = PAGE_BYTES
    while left > 0 and len(found) < limit:
        asked = min(MOST_AT_A_TIME, limit - len(found))
        rows = tx.rows(_of_bytes(_some(tx, run_id, after, until, asked, event.c.payload), left))
        left -= sum(row.pop("bytes") for row in rows)
        found += islice(unpacked(rows, after=after, until=until), limit - len(found))
        if len(rows) < asked:
            break
        after = rows[-1]["seq"]
    return found


def remarks(tx: Tx, run_id: str, limit: int = 200) -> list[Row]:
    """What operators did to a run and said about it, newest first."""
    type_ = EventType.OPERATOR_ACTION
    where = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, may_tell(type_))
    rows = tx.rows(select(event).where(*where).order_by(event.c.seq.desc()).limit(limit))
    told = (one for one in unpacked(reversed(rows)) if one["type"] == type_)
    return list(reversed(list(told)))[:limit]


def walk(tx: Tx, run_id: str, *, after: int = 0, until: int | None = None) -> Iterator[Row]:
    """The events after this one for the fold, a page at a time, without large payloads that it ignores."""
    payload = type_coerce(case((_is_needless(tx), null()), else_=event.c.payload), event.c.payload.type)
    while True:
        some = _some(tx, run_id, after, until, MOST_AT_A_TIME, payload)
        rows = tx.rows(_of_bytes(some, PAGE_BYTES))
        for row in rows:
            del row["bytes"]
        yield from unpacked(rows, after=after, until=until)
        if not rows:
            return
        after = rows[-1]["seq"]


def _some(
    tx: Tx, run_id: str, after: int, until: int | None, limit: int, payload: ColumnElement[Any]
) -> Select[Any]:
    """So many of the next rows of events, each with its size."""
    where = [event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq > after]
    if until is not None:
        where.append(up_to(tx, run_id, until))
    others = [column for column in event.columns if column is not event.c.payload]
    held = func.coalesce(octets(tx, payload), 0) + func.coalesce(octets(tx, event.c.earlier), 0)
    size = (held + ROW_BYTES).label("bytes")
    shown = payload.label("payload")
    return select(*others, shown, size).where(*where).order_by(event.c.seq).limit(limit)


def _of_bytes(some: Select[Any], left: int) -> Select[Any]:
    """Those among them that fit into so many bytes; the last may exceed them, so that there is one."""
    sized = some.subquery("sized")
    before = func.sum(sized.c.bytes).over(order_by=sized.c.seq) - sized.c.bytes
    added = select(sized, before.label("before")).subquery("added")
    columns = [column for column in added.columns if column.name != "before"]
    return select(*columns).where(added.c.before < left).order_by(added.c.seq)


def _is_needless(tx: Tx) -> ColumnElement[bool]:
    """Whether the fold needs nothing of a payload: it is large, and tells nothing of the run's status."""
    is_large = octets(tx, event.c.payload) > SMALL_BYTES
    tells = cast(event.c.payload, Text).contains('"runStatus":')
    return and_(event.c.type.in_(UNFOLDED), is_large, ~tells)


def octets(tx: Tx, value: ColumnElement[Any]) -> ColumnElement[int]:
    """How many bytes of JSON a value has."""
    if tx.dialect == "postgresql":
        return func.octet_length(cast(value, Text))
    return func.length(cast(value, LargeBinary))
