"""Events as rows: the events of one transition are one row, that of the last event, which holds the others.

A row has the number of its last event, so the newest row of a run is found by the run's version. The events
before it have the numbers before it and the same time; they are a document each. A large event ends its row:
who reads a page, or folds without large payloads, does not need to open a row to leave one out. A row that
holds no others is what every row was before there were such documents.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, cast

from sqlalchemy import ColumnElement, Text, func, or_, select
from sqlalchemy import cast as cast_to

from app.domain.rows import picked
from app.domain.rows.runs import EventRow
from app.record.session import Tx, dump
from app.record.tables import event

SMALL_BYTES = 1_024  # Of a payload that does not end its row.
MOST_IN_ROW = 32
# What events of one row do not share: a document is a list of these, without what is missing at its end.
FACTS = ("type", "phase", "step", "attempt", "actor", "payload")
SHARED = ("run_id", "at")

Row = dict[str, Any]


def packed(events: Sequence[EventRow]) -> list[EventRow]:
    """The rows of these events, which follow each other: those of one run and one moment are one."""
    rows: list[EventRow] = []
    before: list[EventRow] = []
    for one, following in zip_longest(events, events[1:]):
        # The row has the number of its last event: the newest row of a run is found by the run's version
        # alone.
        is_last = following is None or picked(following, SHARED) != picked(one, SHARED)
        if is_last or len(before) + 1 == MOST_IN_ROW or _is_large(one):
            rows.append({**one, "earlier": [_document(other) for other in before] or None})
            before = []
        else:
            before.append(one)
    return rows


def unpacked(rows: Iterable[Mapping[str, Any]], *, after: int = 0, until: int | None = None) -> Iterator[Row]:
    """The events of these rows, each as a row of its own: those after an event, up to another one."""
    for row in rows:
        last = {name: value for name, value in row.items() if name != "earlier"}
        blank = {**last, **dict.fromkeys(FACTS)}
        documents = [{**blank, **dict(zip(FACTS, told, strict=False))} for told in row["earlier"] or ()]
        for seq, one in enumerate((*documents, last), row["seq"] - len(documents)):
            if after < seq and (until is None or seq <= until):
                yield {**one, "seq": seq}


def up_to(tx: Tx, run_id: str, until: int) -> ColumnElement[bool]:
    """Whether a row holds an event of a run up to this one."""
    same = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq >= until)
    # An event may stand inside a row with a greater number. That row is the first at or after the number that
    # is asked for, and its later events are left out when it is unpacked.
    holds = select(func.min(event.c.seq)).where(*same).scalar_subquery()
    return event.c.seq <= func.coalesce(holds, until)


def may_tell(*types: str) -> ColumnElement[bool]:
    """Whether a row may hold an event of these types: all that do, and a few that speak of the type."""
    # Text search and no index: it finds too many at worst, and `of_types` looks at each event.
    inside = (cast_to(event.c.earlier, Text).contains(dump(type_), autoescape=True) for type_ in types)
    return or_(event.c.type.in_(types), *inside)


def of_types(tx: Tx, run_id: str, *types: str, after: int = 0, until: int | None = None) -> list[EventRow]:
    """The events of a run that are of these types, oldest first: those after an event, up to another one."""
    where = [event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq > after, may_tell(*types)]
    if until is not None:
        where.append(up_to(tx, run_id, until))
    rows = tx.rows(select(event).where(*where).order_by(event.c.seq))
    return [cast("EventRow", one) for one in unpacked(rows, after=after, until=until) if one["type"] in types]


def named_since(tx: Tx, run_id: str, after: int) -> tuple[int, set[str]]:
    """The number of the last event of a run, and the steps of the way forward that events after one name."""
    small = [column for column in event.columns if column is not event.c.payload]
    where = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq > after)
    found = list(unpacked(tx.rows(select(*small).where(*where).order_by(event.c.seq)), after=after))
    named = {str(one["step"]) for one in found if one["step"] is not None and one["phase"] == "forward"}
    return (found[-1]["seq"] if found else after), named


def _is_large(one: EventRow) -> bool:
    payload = one.get("payload")
    return payload is not None and len(dump(payload)) > SMALL_BYTES


def _document(one: EventRow) -> list[Any]:
    facts = list(picked(one, FACTS).values())
    while facts[-1] is None:
        facts.pop()
    return facts
