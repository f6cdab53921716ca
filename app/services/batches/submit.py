"""Submit a batch, or plan it (dry run)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.auth.keys import Principal
from app.domain.batch import graph
from app.domain.batch.definition import BatchDefinition
from app.domain.batch.invalid import InvalidDefinition
from app.domain.batch.operation import Operation
from app.domain.batch.words import pool_of
from app.domain.ids import batch_id
from app.domain.json import JsonObject
from app.engine import admission
from app.engine.batches.compose import Composed, Node
from app.engine.batches.start import TYPE, BatchOrder, accept_batch
from app.engine.transitions.journal import Journal
from app.providers.compute import Access, Machine
from app.providers.mirror import surreal
from app.record.batches import instances, listing
from app.record.runs import locks, runs
from app.record.session import Tx
from app.services.batches import pools, provider_state
from app.services.batches.accounts import composed
from app.services.context import AppContext
from app.services.runs import published
from chains import catalogue


def submit(
    ctx: AppContext,
    principal: Principal,
    definition: BatchDefinition,
    *,
    key: str | None = None,
    only: Sequence[str] = (),
    except_: Sequence[str] = (),
    source: str | None = None,
) -> JsonObject:
    """Accept a batch; raises `InvalidDefinition`, `ResourceLocked`, `Conflict`."""
    _check_backend(definition)
    operations = graph.selected(definition.operations, tuple(only), tuple(except_))
    new = batch_id()
    made = composed(ctx, definition, operations, new)
    chosen = {name: list(names) for name, names in (("only", only), ("except", except_)) if names}
    order = BatchOrder(
        definition=definition,
        composed=made,
        lineage=new,
        actor=principal.actor,
        idempotency_key=f"batch/{key}" if key else None,
        identity={**definition.document(), "chosen": chosen},
        source=source,
        chosen=chosen,
    )

    def work(tx: Tx) -> Journal:
        admission.check_type(tx, TYPE)
        return accept_batch(tx, new, order)

    accepted = ctx.db.write(work)
    published(ctx, accepted)
    if accepted.id == new:
        return {**_told(definition, operations, made), "workflow_id": new, "status": "Pending"}
    row = ctx.db.read(lambda tx: listing.brief(tx, accepted.id)) or {}
    status = str(row.get("shown_status", "Pending"))
    return {**_told(definition, operations, made), "workflow_id": accepted.id, "status": status}


def plan(
    ctx: AppContext,
    definition: BatchDefinition,
    *,
    only: Sequence[str] = (),
    except_: Sequence[str] = (),
) -> JsonObject:
    """The plan of a submit; stores nothing. Reads the state of the cloud accounts that answer."""
    _check_backend(definition)
    operations = graph.selected(definition.operations, tuple(only), tuple(except_))
    made = composed(ctx, definition, operations, "")
    levels = graph.levels(operations)
    clouds, warnings = provider_state.read(ctx, _accounts(made))
    planned = ctx.db.read(lambda tx: _planned(tx, definition, made, levels, clouds))
    told = _told(definition, operations, made)
    told["warnings"] += warnings
    return {**told, "workflow_id": None, "status": "Pending", "plan": planned}


def _accounts(made: Composed) -> set[provider_state.Where]:
    """The accounts in which the batch creates servers."""
    return {
        (item["provider"], item["account"]) for item in _items(made) if "plan" in item and not _pooled(item)
    }


def _items(made: Composed) -> Iterator[Mapping[str, Any]]:
    return (item for node in made.nodes for item in node.input["items"])


def _pooled(item: Mapping[str, Any]) -> bool:
    return item["provider"] == "local" and pool_of(item.get("plan", "")) is not None


def _told(definition: BatchDefinition, operations: Sequence[Operation], made: Composed) -> JsonObject:
    return {
        "name": definition.name,
        "version": definition.version,
        "total_operations": len(made.nodes),
        "total_items": made.items,
        "levels": graph.levels(operations),
        "warnings": list(made.warnings),
    }


def _check_backend(definition: BatchDefinition) -> None:
    if definition.storage_backend == "surrealdb" and not surreal.installed():
        said = "The extra surrealdb is not installed: pip install 'windlass[surrealdb]', or use filesystem"
        raise InvalidDefinition("BACKEND_UNAVAILABLE", said, {"extra": "surrealdb"})


def _planned(
    tx: Tx,
    definition: BatchDefinition,
    made: Composed,
    levels: list[list[str]],
    clouds: Mapping[provider_state.Where, provider_state.AccountState],
) -> JsonObject:
    level_of = {name: at for at, level in enumerate(levels) for name in level}
    there = _there(tx, made)
    held = locks.holders(tx, made.locks)
    free = pools.FreeServers(tx, _items(made))
    order = [one for level in levels for one in level]
    return {
        "operations": [
            {
                "id": node.key,
                "level": level_of[node.key],
                "items": [
                    _action(item, there, clouds.get((item["provider"], item["account"])), free)
                    for item in node.input["items"]
                ],
            }
            for node in made.nodes
        ],
        "locks": [{"resource": name, "holder": held.get(name)} for name in made.locks],
        "estimated_seconds": round(_estimate(tx, definition, made, level_of) / 1000),
        "rollback_order": order[::-1],
    }


def _there(tx: Tx, made: Composed) -> dict[tuple[str, str, str], Mapping[str, object]]:
    names: dict[str, list[str]] = {}
    for item in _items(made):
        names.setdefault(item["provider"], []).append(item.get("server", item["name"]))
    found = (row for provider, wanted in names.items() for row in instances.at(tx, provider, wanted))
    return {(row["provider"], row["account"], row["name"]): row for row in found}


def _action(
    item: Mapping[str, Any],
    there: Mapping[tuple[str, str, str], Mapping[str, Any]],
    cloud: provider_state.AccountState | None,
    free: pools.FreeServers,
) -> JsonObject:
    name = item["name"]
    if "taskserv" in item:
        return {"name": name, "action": "create", "reason": f"{item['taskserv']} is looked for first"}
    row = there.get((item["provider"], item["account"], name))
    if _pooled(item):
        cloud = None  # Pools are in the inventory alone.
    machine = None if row is None or cloud is None else cloud.of(row)
    if cloud is not None and machine is None:
        row, machine = None, cloud.named(name)  # It was removed by others, or never created.
    if machine is not None and machine.state == "failed":
        return {"name": name, "action": "conflict", "reason": "it is there, and has failed"}
    found = _found(row, machine)
    if found is None and _pooled(item):
        action, reason = free.action(item)
        return {"name": name, "action": action, "reason": reason}
    if found is None:
        missing = cloud.missing(item) if cloud is not None else None
        nobody = "the inventory" if cloud is None else "the account"
        reason = missing or f"{nobody} has no server of this name"
        return {"name": name, "action": "conflict" if missing else "create", "reason": reason}
    plan, zone, origin = found
    access = Access(provider=item["provider"]) if cloud is None else cloud.access
    same = access.same((plan, zone), (item["plan"], item["zone"]))
    what = f"it is there with the plan {plan} in {zone}, made by {origin}"
    return {"name": name, "action": "keep" if same else "conflict", "reason": what}


def _found(row: Mapping[str, Any] | None, machine: Machine | None) -> tuple[str, str, str] | None:
    """Plan, zone and creating batch of the server that has the name."""
    if row is not None:
        return row["plan"], row["zone"], f"the batch {row['lineage']}"
    return None if machine is None else (machine.plan, machine.zone, "no batch")


def _estimate(tx: Tx, definition: BatchDefinition, made: Composed, level_of: Mapping[str, int]) -> int:
    """The estimated milliseconds: level after level, each in waves of as many as the parallel limit."""
    usual: dict[str, int] = {}
    longest: dict[int, int] = {}
    for node in made.nodes:
        at = level_of[node.key]
        longest[at] = max(longest.get(at, 0), _usual(tx, node, usual))
    sizes = Counter(level_of.values())
    return sum(longest[at] * -(-sizes[at] // definition.parallel_limit) for at in longest)


def _usual(tx: Tx, node: Node, usual: dict[str, int]) -> int:
    if node.type not in usual:
        usual[node.type] = runs.usual_duration(tx, node.type, catalogue.lookup(node.type).eta_ms)
    return usual[node.type]
