"""The scope of a rollback: for each operation its effects, certain or possible, newest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Conflict, ValidationFailed
from app.domain.rows.batches import BatchRow, EdgeRow
from app.domain.states import STEP_DONE, StepOutcome
from app.record.batches import batches, graphs, instances
from app.record.session import Tx


class DependentsStand(Conflict):
    """Operations that would not be undone depend on some that would."""

    code = "DEPENDENTS_STAND"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which part of a batch to undo; by default all of it."""

    operations: Sequence[str] = ()
    checkpoint_id: str | None = None  # Only operations that completed after it.
    force: bool = False


@dataclass
class Undo:
    """The removal of one operation's effects."""

    operation: str
    of: str  # "servers" or "taskservs".
    items: list[dict[str, Any]] = field(default_factory=list)
    newest: int = 0  # When its newest item began, in milliseconds.


def undos(tx: Tx, batch: BatchRow, wanted: Wanted) -> list[Undo]:
    """The removals, that of the operation that ended last first; raises `Conflict` and `ValidationFailed`."""
    # From the rows that were written before each order was sent, not from the outputs of steps: an order
    # whose answer was lost has a row and no output (chaos: "a removal that removes nothing").
    found = _standing(tx, batch["lineage"])
    chosen = _chosen(tx, batch, found, wanted)
    removed = {item["instance"] for key in chosen for item in found[key].items if found[key].of == "servers"}
    for key in chosen:
        if found[key].of == "taskservs":
            for item in found[key].items:
                # Installations on a server that is removed are not uninstalled first: it may be unreachable.
                item["with_server"] = item["server_id"] in removed
    ends = graphs.ended(tx, batch["run_id"])
    return sorted(
        (found[key] for key in chosen),
        key=lambda one: (-ends.get(one.operation, 0), -one.newest, one.operation),
    )


def edges_back(edges: Iterable[EdgeRow], included: set[str]) -> list[EdgeRow]:
    """The reversed edges among ``included``, also across operations that are not included."""
    needs: dict[str, list[str]] = {}
    for one in edges:
        needs.setdefault(one["key"], []).append(one["needs"])
    made: list[EdgeRow] = []
    for key in sorted(included):
        # Across operations without a removal as well: if C needs B, B needs A and nothing is left of B, C is
        # still removed before A.
        seen, frontier = set(), list(needs.get(key, ()))
        while frontier:
            other = frontier.pop()
            if other in seen:
                continue
            seen.add(other)
            # Soft: when a removal fails, those that wait for it must still be tried. Reversed against the
            # batch (chaos: "a rollback in the order of the batch").
            if other in included:
                made.append({"needs": key, "key": other, "kind": "soft", "condition": "finished"})
            else:
                frontier += needs.get(other, ())
    return made


def locks_of(found: Iterable[Undo]) -> list[str]:
    """The locks on all servers that a rollback works on."""
    names = (f"instance/{item['provider']}/{item['server']}" for one in found for item in one.items)
    return sorted(set(names))


def _standing(tx: Tx, lineage: str) -> dict[str, Undo]:
    found: dict[str, Undo] = {}
    for row in instances.made_by(tx, lineage):
        item = {
            "instance": row["id"],
            "name": row["name"],
            "server": row["name"],
            "provider": row["provider"],
        }
        undo = found.setdefault(row["operation"], Undo(row["operation"], "servers"))
        undo.items.append(item)
        undo.newest = max(undo.newest, row["created_at"])
    for one in instances.installed_by(tx, lineage):
        name = f"{one['taskserv']}@{one['server']}"
        item = {"installation": one["id"], "name": name, "server": one["server"], "provider": one["provider"]}
        undo = found.setdefault(one["operation"], Undo(one["operation"], "taskservs"))
        undo.items.append({**item, "server_id": one["instance"]})
        undo.newest = max(undo.newest, one["created_at"])
    return found


def _chosen(tx: Tx, batch: BatchRow, found: Mapping[str, Undo], wanted: Wanted) -> set[str]:
    chosen = set(found)
    if wanted.checkpoint_id is not None:
        chosen -= set(graphs.completed(tx, batch["run_id"], checkpoint(tx, batch, wanted.checkpoint_id)))
        chosen -= _reused(tx, batch)
    if wanted.operations:
        chosen &= _known(batch, wanted.operations)
        if not wanted.force:
            _check_dependents(tx, batch, found, chosen)
    elif (batch["definition"] or {}).get("rollback_strategy", {}).get("preserve_successful"):
        rows = graphs.members(tx, batch["run_id"])
        chosen -= {
            row["key"] for row in rows if row["status"] in STEP_DONE and row["outcome"] == StepOutcome.DONE
        }
    return chosen


def checkpoint(tx: Tx, batch: BatchRow, wanted: str, field: str = "checkpoint_id") -> int:
    """The number of the last event that counts for a checkpoint; raises `ValidationFailed` on the field."""
    for one in batches.checkpoints(tx, batch["run_id"]):
        if f"cp-{one['sequence']:04}" == wanted:
            return one["upto_seq"]
    raise ValidationFailed.of(field, f"The batch has no checkpoint {wanted}")


def _reused(tx: Tx, batch: BatchRow) -> set[str]:
    return {row["key"] for row in graphs.members(tx, batch["run_id"]) if row["reused_from"] is not None}


def _known(batch: BatchRow, operations: Sequence[str]) -> set[str]:
    known = {one["id"] for one in (batch["definition"] or {}).get("operations", ())}
    strange = [name for name in operations if name not in known]
    if strange:
        raise ValidationFailed.of("operations", f"The batch has no operation {', '.join(strange)}")
    return set(operations)


def _check_dependents(tx: Tx, batch: BatchRow, found: Mapping[str, Undo], chosen: set[str]) -> None:
    below = graphs.edges_below(tx, batch["run_id"], chosen) + graphs.edges_from(tx, batch["run_id"], chosen)
    standing = {one["key"] for one in below}
    left = sorted(standing & set(found) - chosen)
    if left:
        raise DependentsStand(
            f"{', '.join(left)} still build on what would be undone: name them too, or use force",
            operations=left,
        )
