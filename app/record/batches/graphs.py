"""Graphs: the members of a run that are child runs, and the edges between them; read under the run's lock."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, bindparam, func, insert, select, update

from app.domain.events import EventType
from app.domain.rows.batches import EdgeRow
from app.domain.rows.runs import StepRow
from app.record.runs import event_rows
from app.record.session import Tx
from app.record.tables import BEGUN, READY, edge, step

MOST_KEYS = 1_000  # Named in one statement.


def insert_edges(tx: Tx, rows: Sequence[EdgeRow]) -> None:
    """Store the edges of a graph."""
    # Not all 100,000 at once: while they are prepared, the server would see an idle transaction and end it.
    for at in range(0, len(rows), MOST_KEYS):
        tx.execute(insert(edge), [{"tenant_id": tx.tenant, **row} for row in rows[at : at + MOST_KEYS]])


def at_work(tx: Tx, run_id: str) -> int:
    """How many children of a graph have begun and not ended."""
    found: int = tx.value(
        # By the computed column `turn`: a partial index of it holds the few that matter of thousands of
        # members.
        select(func.count()).select_from(step).where(*_of(tx, run_id), step.c.turn == BEGUN)
    )
    return found


def children_at_work(tx: Tx, run_id: str) -> list[str]:
    """The child runs of members that have begun and not ended."""
    inside = step.c.branch.startswith("graph:")  # Calls of code workflows have children of their own.
    found = tx.rows(select(step.c.ref).where(*_of(tx, run_id), step.c.turn == BEGUN, inside))
    return [str(row["ref"]) for row in found]


def ready(tx: Tx, run_id: str, most: int) -> list[StepRow]:
    """The first members that may begin."""
    found = select(step).where(*_of(tx, run_id), step.c.turn == READY).order_by(step.c.ordinal).limit(most)
    return tx.rows(found, of=StepRow)


def any_ready(tx: Tx, run_id: str) -> bool:
    """Whether a member may begin."""
    return tx.value(select(step.c.key).where(*_of(tx, run_id), step.c.turn == READY).limit(1)) is not None


def edges_from(tx: Tx, run_id: str, keys: Iterable[str]) -> list[EdgeRow]:
    """The edges from these members to those that need them."""
    found: list[EdgeRow] = []
    for part in _parts(keys):
        where = (edge.c.tenant_id == tx.tenant, edge.c.run_id == run_id, edge.c.needs.in_(part))
        found += tx.rows(select(edge).where(*where), of=EdgeRow)
    return found


def edges_to(tx: Tx, run_id: str, key: str) -> list[EdgeRow]:
    """The edges between this member and those that it needs."""
    where = (edge.c.tenant_id == tx.tenant, edge.c.run_id == run_id, edge.c.key == key)
    return tx.rows(select(edge).where(*where).order_by(edge.c.needs), of=EdgeRow)


def edges_of(tx: Tx, run_id: str) -> list[EdgeRow]:
    """All edges of a graph."""
    where = (edge.c.tenant_id == tx.tenant, edge.c.run_id == run_id)
    return tx.rows(select(edge).where(*where).order_by(edge.c.key, edge.c.needs), of=EdgeRow)


def edges_below(tx: Tx, run_id: str, keys: Iterable[str]) -> list[EdgeRow]:
    """The edges of all members that depend on these, directly or through others."""
    own = (edge.c.tenant_id == bindparam("tenant"), edge.c.run_id == bindparam("run"))
    start = select(edge.c.key).where(*own, edge.c.needs.in_(bindparam("starts", expanding=True)))
    below = start.cte("below", recursive=True)
    further = select(edge.c.key).where(*own, edge.c.needs == below.c.key)
    reached = below.union(further)
    # UNION and not UNION ALL above: members that two paths lead to are visited once.
    wanted = select(edge).where(*own, edge.c.needs.in_(select(reached.c.key)))
    found = {}
    for part in _parts(keys):
        values = {"tenant": tx.tenant, "run": run_id, "starts": part}
        found.update({(one["needs"], one["key"]): one for one in tx.rows(wanted, values, of=EdgeRow)})
    return list(found.values())


def statuses(tx: Tx, run_id: str, keys: Iterable[str]) -> dict[str, str]:
    """The statuses of these members, by key."""
    found: dict[str, str] = {}
    for part in _parts(keys):
        which = select(step.c.key, step.c.status).where(*_of(tx, run_id), step.c.key.in_(part))
        found.update({row["key"]: row["status"] for row in tx.rows(which)})
    return found


def ended(tx: Tx, run_id: str) -> dict[str, int]:
    """For each member that had begun and has ended, the number of its last event."""
    types = (EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_CANCELLED)
    rows = event_rows.of_types(tx, run_id, *types)
    # The number of the event and not its time, which may be the same for two members.
    return {str(row["step"]): row["seq"] for row in rows if (row["attempt"] or 0) > 0}


def completed(tx: Tx, run_id: str, upto: int | None = None, *, after: int = 0) -> dict[str, int]:
    """For each member that completed after one event and up to another, the number of its last event."""
    rows = event_rows.of_types(tx, run_id, EventType.STEP_COMPLETED, after=after, until=upto)
    return {str(row["step"]): row["seq"] for row in rows if row["phase"] == "forward"}


def members(tx: Tx, run_id: str) -> list[StepRow]:
    """All members of a graph, in the order in which they begin."""
    found = select(step).where(*_of(tx, run_id), step.c.kind == "child").order_by(step.c.ordinal)
    return tx.rows(found, of=StepRow)


def pending(tx: Tx, run_id: str) -> list[StepRow]:
    """The members that have not begun."""
    which = (step.c.kind == "child", step.c.status == "pending")
    return tx.rows(select(step).where(*_of(tx, run_id), *which).order_by(step.c.ordinal), of=StepRow)


def need_less(tx: Tx, run_id: str, counts: Mapping[str, int]) -> None:
    """Reduce the number of edges that these members wait for, each by its count."""
    by: dict[int, list[str]] = {}
    for key, count in counts.items():
        by.setdefault(count, []).append(key)
    for count, keys in by.items():
        for part in _parts(keys):
            less = update(step).where(*_of(tx, run_id), step.c.key.in_(part))
            # By a difference, and once for each edge: under the lock of the run, so no edge is counted twice
            # (I10, I23).
            tx.execute(less.values(pending=step.c.pending - count))


def end_members(tx: Tx, run_id: str, keys: Iterable[str], changes: StepRow) -> None:
    """End members that never began, all in the same way."""
    for part in _parts(keys):
        tx.execute(update(step).where(*_of(tx, run_id), step.c.key.in_(part)).values(**changes))


def _parts(keys: Iterable[str]) -> list[list[str]]:
    chosen = list(keys)
    return [chosen[at : at + MOST_KEYS] for at in range(0, len(chosen), MOST_KEYS)]


def _of(tx: Tx, run_id: str) -> tuple[ColumnElement[bool], ...]:
    return (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
