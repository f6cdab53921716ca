"""Reads batches: one with its operations and items, its progress, a list, and statistics of all."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.batch.definition import parse
from app.domain.batch.words import MOST_ITEMS_OF_OPERATION
from app.domain.clock import rfc3339
from app.domain.errors import NotFound
from app.domain.json import JsonObject
from app.record.batches import batches, graphs, listing, outcome
from app.record.runs import runs
from app.record.session import Tx
from app.services.batches import operation_states, present
from app.services.batches.operation_states import PENDING, RUNNING, OperationStates, Place
from app.services.context import AppContext
from chains import catalogue

Row = Mapping[str, Any]
MOST_ITEMS = 2_000  # In the detail of a batch; the items of one operation have pages.
MOST_NAMES = 100  # Names of operations in the progress.
# Names of operations in all checkpoints of a batch, filled from the newest. Each checkpoint names all that
# had completed: 10 million names for the 2,000 checkpoints of 10,000 operations.
MOST_COMPLETED = 20_000
OPEN = ("Pending", "Running", "RollingBack")


def find(ctx: AppContext, batch_id: str) -> JsonObject:
    """The summary of a batch; raises `NotFound`."""
    return ctx.db.read(lambda tx: _summary(tx, batch_id))


def page(
    ctx: AppContext, *, status: str | None = None, name: str | None = None, limit: int = 50, offset: int = 0
) -> tuple[list[JsonObject], int]:
    """Batches, newest first, and how many there are."""

    def work(tx: Tx) -> tuple[list[JsonObject], int]:
        rows, total = listing.page(tx, status=status, name=name, limit=limit, offset=offset)
        counts = listing.counts_of(tx, [row["run_id"] for row in rows])
        return [present.summary(row, counts[row["run_id"]]) for row in rows], total

    return ctx.db.read(work)


def detail(ctx: AppContext, batch_id: str, *, items: bool = True) -> JsonObject:
    """A batch with its operations, checkpoints and last rollback; raises `NotFound`."""
    return ctx.db.read(lambda tx: _detail(tx, batch_id, items))


def operation_items(
    ctx: AppContext, batch_id: str, operation: str, *, limit: int = 50, offset: int = 0
) -> tuple[list[JsonObject], int]:
    """The items of an operation, and how many there are; raises `NotFound`."""

    def work(tx: Tx) -> tuple[list[JsonObject], int]:
        row = _row(tx, batch_id)
        member = next((one for one in graphs.members(tx, batch_id) if one["key"] == operation), None)
        if member is None:
            raise NotFound(f"The batch has no operation {operation}")
        if not isinstance(member["ref"], str):
            names = _names(member)
            status = _status_of(member, row)
            shown = [present.idle_item(name, status) for name in names[offset : offset + limit]]
            return shown, len(names)
        found, total = listing.item_page(tx, member["ref"], limit, offset)
        undo = _undos(tx, batch_id).get(operation)
        undone = _undone_items(tx, [] if undo is None else [undo], MOST_ITEMS_OF_OPERATION).get(operation, {})
        over = member["status"] != "waiting"
        return [
            present.item(one, ended=over, undo=undone.get(present.item_name(one))) for one in found
        ], total

    return ctx.db.read(work)


def progress(ctx: AppContext, batch_id: str) -> JsonObject:
    """The progress of a batch; raises `NotFound`."""
    kept = operation_states.cached(batch_id) or _new_states(ctx, batch_id)
    if kept is None:
        return ctx.db.read(lambda tx: _progress(tx, batch_id, None))
    with kept.lock:
        return ctx.db.read(lambda tx: _progress(tx, batch_id, kept))


def stats(ctx: AppContext) -> JsonObject:
    """Statistics of all batches, deleted ones included."""

    def work(tx: Tx) -> JsonObject:
        states, totals = listing.by_status(tx), listing.totals(tx)
        for row in (one for one in totals if one["provider"] == outcome.ALL):  # Of batches deleted since.
            states[row["status"]] = states.get(row["status"], 0) + row["operations"]
        totals = [one for one in totals if one["provider"] != outcome.ALL]
        return _stats(states, totals, listing.durations(tx), listing.rollback_totals(tx))

    return ctx.db.read(work)


def _row(tx: Tx, batch_id: str) -> Row:
    row = listing.shown(tx, batch_id)
    if row is None:
        raise NotFound(f"There is no batch {batch_id}")
    return row


def _summary(tx: Tx, batch_id: str) -> JsonObject:
    row = listing.brief(tx, batch_id)
    if row is None:
        raise NotFound(f"There is no batch {batch_id}")
    return present.summary(row, listing.counts_of(tx, [batch_id])[batch_id])


def _detail(tx: Tx, batch_id: str, with_items: bool) -> JsonObject:
    row = _row(tx, batch_id)
    members = {one["key"]: one for one in graphs.members(tx, batch_id)}
    undos = _undos(tx, batch_id)
    children = [one["ref"] for one in members.values() if isinstance(one["ref"], str)]
    waiting = [str(one["ref"]) for one in members.values() if one["status"] == "waiting"]
    retries = listing.retrying(tx, waiting)
    shows = with_items and row["items"] <= MOST_ITEMS
    items = listing.items_of(tx, children, MOST_ITEMS) if shows else {}
    undone = _undone_items(tx, [undos[key] for key in members if key in undos], MOST_ITEMS) if shows else {}
    facts = {one["id"]: one for one in row["definition"]["operations"]}
    operations = []
    for key, fact in facts.items():
        if key in members:
            member, undo = members[key], undos.get(key)
            shown = _items(member, items, undone.get(key, {}), row) if shows else None
            operations.append(
                present.operation(
                    member,
                    fact,
                    ended=present.has_ended(row),
                    retries=member["ref"] in retries,
                    undo=undo,
                    items=shown,
                )
            )
    counts = listing.counts_of(tx, [batch_id])[batch_id]
    return {
        **present.summary(row, counts),
        "storage_backend": row["storage_backend"],
        "parallel_limit": row["parallel_limit"],
        "rollback_enabled": row["rollback_enabled"],
        "lineage": row["lineage"],
        "rollback_of": None,
        "source": row["source"],
        "warnings": row["warnings"] or [],
        "waiting_on": row["waiting_on"],
        "items_shown": shows,
        "operations": operations,
        "checkpoints": _checkpoints(tx, batch_id),
        "rollback": _rollback(tx, batch_id),
    }


def _items(
    member: Row, items: Mapping[str, Sequence[Row]], undone: Mapping[str, Row], row: Row
) -> list[JsonObject]:
    if not isinstance(member["ref"], str):
        return [present.idle_item(name, _status_of(member, row)) for name in _names(member)]
    over = member["status"] != "waiting"
    return [
        present.item(one, ended=over, undo=undone.get(present.item_name(one)))
        for one in items.get(member["ref"], ())
    ]


def _names(member: Row) -> list[str]:
    return [one["name"] for one in ((member["given"] or {}).get("input") or {}).get("items", ())]


def _status_of(member: Row, row: Row) -> str:
    return present.operation_status(member, ended=present.has_ended(row), retries=False, undo=None)


def _undos(tx: Tx, batch_id: str) -> dict[str, Row]:
    """For each operation its row in the last rollback that included it."""
    found: dict[str, Row] = {}
    for one in listing.rollbacks(tx, batch_id):
        for member in graphs.members(tx, one["id"]):
            found.setdefault(member["key"], member)
    return found


def _undone_items(tx: Tx, undos: Sequence[Row], most: int) -> dict[str, dict[str, Row]]:
    """For each of these operations the rows of its items in its last rollback, by name; at most ``most``."""
    begun = [one for one in undos if isinstance(one["ref"], str)]
    found = listing.items_of(tx, [one["ref"] for one in begun], most)  # In one query for all operations.
    shown = {one["key"]: dict.fromkeys(_names(one), one) for one in undos}
    for one in begun:
        shown[one["key"]] = {present.item_name(each): each for each in found.get(one["ref"], ())}
    return shown


def _checkpoints(tx: Tx, batch_id: str) -> list[JsonObject]:
    rows = batches.checkpoints(tx, batch_id)
    done = graphs.completed(tx, batch_id) if rows else {}
    names = sorted((key for key in done if not key.startswith("graph:")), key=lambda key: done[key])
    numbers = [done[key] for key in names]
    left, shown = MOST_COMPLETED, list[JsonObject]()
    for one in reversed(rows):
        count = bisect_right(numbers, one["upto_seq"])
        left -= count
        shown.append(present.checkpoint(one, names[:count] if left >= 0 else (), count))
    return shown[::-1]


def _rollback(tx: Tx, batch_id: str) -> JsonObject | None:
    found = listing.rollbacks(tx, batch_id)
    return present.rollback(found[0], graphs.members(tx, found[0]["id"])) if found else None


def _progress(tx: Tx, batch_id: str, kept: OperationStates | None) -> JsonObject:
    row = listing.brief(tx, batch_id)
    if row is None:
        raise NotFound(f"There is no batch {batch_id}")
    over = kept is None or present.has_ended(row)
    if kept is None or over:
        counts: Mapping[str, int] = listing.counts_of(tx, [batch_id])[batch_id]
        running, pending, level, end = list[str](), list[str](), None, None
    else:
        kept.update(tx, batch_id, row["event_seq"])
        counts = kept.counts
        running, pending = kept.first(RUNNING, MOST_NAMES), kept.first(PENDING, MOST_NAMES)
        level, end = _ahead(tx, kept.ahead, row)
    total = row["operations"]
    ended = sum(counts.get(word, 0) for word in present.ENDED)
    last = batches.last_checkpoint(tx, batch_id)
    return {
        "workflow_id": batch_id,
        "status": row["shown_status"],
        "detail": row["status"],
        "total_operations": total,
        "completed_operations": counts.get("completed", 0),
        "failed_operations": counts.get("failed", 0),
        "skipped_operations": counts.get("skipped", 0),
        "cancelled_operations": counts.get("cancelled", 0),
        "running_operations": running,
        "running_count": counts.get(RUNNING, 0),
        "pending_operations": pending,
        "pending_count": 0 if over else counts.get(PENDING, 0),
        "percent": 100.0 if over else round(100 * ended / total, 1),
        "current_level": level,
        "estimated_completion": rfc3339(end),
        "last_checkpoint": None if last is None else present.checkpoint(last),
    }


def _ahead(tx: Tx, places: Mapping[Place, int], row: Row) -> tuple[int | None, int | None]:
    """The first level that has not ended, and the estimated end, from the usual durations of operations."""
    sizes = {place: number for place, number in places.items() if number}
    types = {type_ for _level, type_ in sizes}
    usual = {one: runs.usual_duration(tx, one, catalogue.lookup(one).eta_ms) for one in types}
    here, longest = Counter[int](), dict[int, int]()
    for (at, type_), number in sizes.items():
        here[at] += number
        longest[at] = max(longest.get(at, 0), usual[type_])
    left = sum(longest[at] * -(-here[at] // row["parallel_limit"]) for at in here)
    return min(here, default=None), tx.now + left if here else None


def _new_states(ctx: AppContext, batch_id: str) -> OperationStates | None:
    """New cached states for a batch; None when it has ended. Raises `NotFound`."""
    row = ctx.db.read(lambda tx: _row(tx, batch_id))
    if present.has_ended(row):
        return None
    # Outside of a transaction: parsing a large definition takes longer than a transaction may be idle.
    return operation_states.keep(batch_id, OperationStates(parse(row["definition"])))


def _stats(
    states: Mapping[str, int], totals: Sequence[Row], took: tuple[int, int], rollbacks: Mapping[str, int]
) -> JsonObject:
    ended = {word: number for word, number in states.items() if word not in OPEN}
    number, ms = took
    return {
        "total": sum(states.values()),
        "by_status": dict(states),
        "by_provider": _summed(totals, "provider"),
        "by_operation_type": _summed(totals, "type"),
        "success_rate": round(ended.get("Completed", 0) / sum(ended.values()), 4) if ended else None,
        "avg_duration_seconds": round(ms / number / 1000, 3) if number else None,
        "rollbacks": {
            "total": sum(rollbacks.values()),
            "succeeded": rollbacks.get("completed", 0),
            "failed": rollbacks.get("failed", 0),
        },
        "active": states.get("Running", 0) + states.get("RollingBack", 0),
        "queued": states.get("Pending", 0),
    }


def _summed(totals: Sequence[Row], column: str) -> JsonObject:
    found: JsonObject = {}
    for row in totals:
        kind = found.setdefault(row[column], {})
        kind[row["status"]] = kind.get(row["status"], 0) + row["operations"]
    return found
