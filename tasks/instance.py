"""Servers of batches: made, found again, kept, removed. The inventory knows of an effect before the provider.

1. Look into the inventory: a live row of the same name is ours to go on with, another batch's to keep, or in
   the way. What the provider does not have any more is gone, and the next incarnation has another token.
2. Write the intent, with its token, before anything is asked of the provider.
3. Look there, by the token: what an earlier attempt ordered is taken, and surplus twins are removed.
4. Look there by the name: a server that no batch made is kept when it is what is wanted, else in the way.
5. Order it, note its id, and wait until it runs and no twin of it is left.
"""

from collections.abc import Mapping
from typing import Any, cast

from app.domain.batch.tokens import token
from app.domain.batch.words import pool_of
from app.domain.errors import Permanent, StepError
from app.domain.policy import backoff
from app.domain.rows.batches import InstanceRow
from app.providers.compute import Compute, Machine, Spec
from app.record.batches import instances
from app.record.batches.effects import GONE, INSTANCES
from app.record.session import Tx
from tasks.context import Context
from tasks.objects import StillThere
from tasks.pool_servers import PoolServers
from tasks.step import Again, Finished, operation

Item = Mapping[str, Any]  # name, plan, zone, provider, account, and perhaps a rehearsal.
Result = dict[str, Any]
LATE_MS = 60_000  # After an order was answered; for so long a cloud may not know the id that it has given.
POLLS = backoff("1s", factor=1.5, cap="15s", limit=0, jitter=False)


class ConfigurationConflict(Permanent):
    """A server of this name is there, and is not what is wanted."""

    code = "CONFIGURATION_CONFLICT"
    nothing_happened = True


class NotSeenYet(StepError):
    """Whether an earlier order took effect cannot be told yet: new servers are listed late here."""

    code = "CLOUD_OUTCOME_UNKNOWN"
    passing_ms = 60_000


class NotReplacedYet(StillThere):
    """What has failed, or is being removed, is not gone yet; removals take minutes."""

    passing_ms = 15 * 60_000


@operation(timeout="5m", every=POLLS, retry=backoff("5s", cap="5m", limit=3))
def create(
    ctx: Context, item: Item, operation: str, lineage: str, policy: object = None
) -> dict[str, object] | Finished:
    """The server is there, made by this batch or before it; the reference is its row in the inventory."""
    compute = _compute(ctx, item)
    row, fresh = _claimed(ctx, item, operation, lineage)
    if row["lineage"] != lineage:
        return Finished(_kept(compute, row, item))
    # A row that this first attempt has just written cannot have been ordered by anybody: one look less for
    # each server.
    machine = None if fresh and not ctx.unsure else _ours(ctx, compute, row)
    if machine is None:
        # After our own token: what we made has the name as well, and would be taken for a stranger's.
        stranger = _stranger(compute, item)
        if stranger is not None:
            ctx.db.write(lambda tx: INSTANCES.change(tx, row["id"], {"state": "gone"}))
            return Finished(_kept_stranger(compute, stranger, item))
        machine = compute.create(_spec(item, lineage), row["token"])
    _note(ctx, row, machine)
    if machine.state == "running" and not compute.lists_late:
        return Finished(_made(row, machine))
    return {"instance": row["id"]}


@create.poll
def is_running(ctx: Context, item: Item, ref: dict[str, Any]) -> Again | Result:
    """The server runs; one that failed, or is gone before it ran, fails the item."""
    row = ctx.db.read(lambda tx: INSTANCES.read(tx, ref["instance"]))
    assert row is not None  # Rows of the inventory are not deleted while a run works on them.
    compute = _compute(ctx, row)
    machine = compute.look(row["resource_id"] or "")
    if machine is None:
        if _may_appear(ctx, compute, row):
            return Again(f"{row['name']} is not known yet by its id")
        raise Permanent(f"{row['name']} is gone before it ran")
    if machine.state == "failed":
        raise Permanent(f"{row['name']} has failed: {machine.problem or 'the provider does not say why'}")
    if machine.state != "running":
        return Again(f"{row['name']} is {machine.state}")
    if compute.lists_late and not _is_alone(ctx, compute, row):
        return Again(f"A surplus twin of {row['name']} is being removed")
    _note(ctx, row, machine)
    return _made(row, machine)


@operation(timeout="15m", every=POLLS, retry=backoff("5s", cap="5m", limit=3))
def remove(ctx: Context, item: Item, policy: object = None) -> dict[str, object] | Finished:
    """The server is not there any more; it is an instance that a batch made, or may have made."""
    row = ctx.db.read(lambda tx: INSTANCES.read(tx, item["instance"]))
    if row is None or row["state"] == GONE or _bring_down(ctx, row):
        return Finished({"effect": "removed"})
    return {"instance": row["id"]}


@remove.poll
def is_removed(ctx: Context, item: Item, ref: dict[str, Any]) -> Again | Result:
    """The provider has it no longer."""
    row = ctx.db.read(lambda tx: INSTANCES.read(tx, ref["instance"]))
    if row is None or _bring_down(ctx, row):
        return {"effect": "removed"}
    return Again(f"{row['name']} is being removed")


def _bring_down(ctx: Context, row: InstanceRow) -> bool:
    """Bring a server nearer to its end; true once it is gone. Found by its token when its id never came."""
    compute = _compute(ctx, row)
    ids = [row["resource_id"]] if row["resource_id"] else []
    found = [one.id for one in compute.find(token=row["token"])]
    # Before the row says "removing": as long as it says "creating", nobody has seen the server.
    if ids and not found and _may_appear(ctx, compute, row) and compute.look(ids[0]) is None:
        raise NotSeenYet(f"{row['name']} was ordered just now, and is not known yet by its id")
    ctx.db.write(lambda tx: INSTANCES.change(tx, row["id"], {"state": "removing"}))
    # A provider that lists new servers late may be hiding what an order whose answer was lost has made. Taken
    # for gone, it would run for ever and be paid for.
    if not found and not ids and compute.lists_late and ctx.tries < 2:
        raise NotSeenYet(f"No server with the token of {row['name']} is listed; one more look is needed")
    # All that bear the token, not only the one that is known: an order that was sent twice made twins (I24).
    gone = [compute.remove(one) for one in dict.fromkeys([*ids, *found])]
    if all(gone):
        ctx.db.write(lambda tx: _forget(tx, row["id"]))
    return all(gone)


def _may_appear(ctx: Context, compute: Compute, row: InstanceRow) -> bool:
    """Whether a server that is not there was ordered so shortly ago that its cloud may not know it yet."""
    if row["state"] != "creating" or not compute.lists_late:
        return False
    return ctx.db.read(lambda tx: tx.now) - row["updated_at"] < LATE_MS


def _forget(tx: Tx, instance_id: str) -> None:
    INSTANCES.change(tx, instance_id, {"state": GONE})
    instances.forget_installations(tx, instance_id)


def _claimed(ctx: Context, item: Item, operation: str, lineage: str) -> tuple[InstanceRow, bool]:
    """The row of the inventory to go on with, and whether it was written just now."""
    intent = _intent(ctx, item, operation, lineage, 1)
    first = INSTANCES.intend_first(ctx.db, intent, name=item["name"])
    if first is not None:
        return first, True
    row, fresh = ctx.db.write(lambda tx: _intended(tx, ctx, item, operation, lineage))
    if fresh or _still_there(ctx, row, lineage):
        return row, fresh
    gone = row["id"]
    ctx.db.write(lambda tx: _forget(tx, gone))
    return ctx.db.write(lambda tx: _intended(tx, ctx, item, operation, lineage))


def _still_there(ctx: Context, row: InstanceRow, lineage: str) -> bool:
    """Whether the provider still has what the inventory shows, or may come to have it.

    An order of this batch whose answer never came keeps its row and its token: it is looked for by that. What
    this batch made and what failed is removed, so that another one is made in its place. What is on its way
    out, by a rollback that stopped half-way or by somebody's hand, is waited for and then made anew.
    """
    compute = _compute(ctx, row)
    if row["resource_id"] is None:
        return row["lineage"] == lineage or bool(compute.find(token=row["token"]))
    machine = compute.look(row["resource_id"])
    if machine is None:
        if _may_appear(ctx, compute, row):
            raise NotSeenYet(f"{row['name']} was ordered just now, and is not known yet by its id")
        return False
    if machine.state == "failed" and row["lineage"] == lineage:
        if not compute.remove(machine.id):
            raise NotReplacedYet(f"{row['name']} has failed, and is being removed before another one is made")
        return False
    if machine.state == "removing":
        raise NotReplacedYet(f"{row['name']} is being removed, and is made anew once it is gone")
    if machine.state == "failed":
        raise _failed(row["name"], f"made by the batch {row['lineage']}")
    return True


def _intended(tx: Tx, ctx: Context, item: Item, operation: str, lineage: str) -> tuple[InstanceRow, bool]:
    live = INSTANCES.live(tx, provider=item["provider"], account=item["account"], name=item["name"])
    if live is not None:
        return live, False
    # Another token for each new beginning: with the old one, what is being removed would be found and taken
    # for ours.
    number = INSTANCES.begun(tx, lineage, operation, name=item["name"]) + 1
    return INSTANCES.intend(tx, _intent(ctx, item, operation, lineage, number)), True


def _intent(ctx: Context, item: Item, operation: str, lineage: str, incarnation: int) -> InstanceRow:
    """The row of a server that is about to be ordered."""
    return {
        "provider": item["provider"],
        "account": item["account"],
        "name": item["name"],
        "plan": item["plan"],
        "zone": item["zone"],
        "resource_id": None,
        "address": None,
        "fingerprint": None,
        "state": "intended",
        "token": token(lineage, operation, item["name"], incarnation),
        "incarnation": incarnation,
        "lineage": lineage,
        "operation": operation,
        "run_id": ctx.run_id,
    }


def _ours(ctx: Context, compute: Compute, row: InstanceRow) -> Machine | None:
    """What an earlier attempt made; of twins the oldest, the others are removed while it comes up."""
    found = compute.find(token=row["token"])
    if not found and row["resource_id"] is None and compute.lists_late and ctx.tries < 3:
        raise NotSeenYet(f"Whether {row['name']} was ordered is not known yet")
    return found[0] if found else None


def _is_alone(ctx: Context, compute: Compute, row: InstanceRow) -> bool:
    """Whether no other server bears the token; each twin is brought nearer to its end."""
    twins = [one for one in compute.find(token=row["token"]) if one.id != row["resource_id"]]
    gone = []
    for twin in twins:
        if twin.state in ("creating", "running"):
            ctx.log("surplus twin is removed", server=row["name"], id=twin.id)
        gone.append(compute.remove(twin.id))
    return all(gone)


def _compute(ctx: Context, of: Item | InstanceRow) -> Compute:
    """Where a server is, or is to be: in a pool of this installation, or in an account of its provider."""
    if of["provider"] == "local" and pool_of(of["plan"]) is not None:
        return PoolServers(ctx, of["account"], of["name"])
    return ctx.capabilities.compute(of["provider"], of["account"])


def _stranger(compute: Compute, item: Item) -> Machine | None:
    """A server of this name that this inventory does not have."""
    # Names are not unique in a cloud: one that is on its way out is in nobody's way.
    return next((one for one in compute.find(name=item["name"]) if one.state != "removing"), None)


def _kept(compute: Compute, row: InstanceRow, item: Item) -> Result:
    """What another batch made, when it is what is wanted; it is not ours to undo."""
    _check_same(compute, item, row["plan"], row["zone"], f"made by the batch {row['lineage']}")
    return {"resource_id": row["resource_id"], "effect": "kept", "address": row["address"]}


def _kept_stranger(compute: Compute, machine: Machine, item: Item) -> Result:
    if machine.state == "failed":
        raise _failed(item["name"], "made by no batch")
    _check_same(compute, item, machine.plan, machine.zone, "made by no batch")
    address = machine.addresses[0] if machine.addresses else None
    return {"resource_id": machine.id, "effect": "kept", "address": address}


def _check_same(compute: Compute, item: Item, plan: str, zone: str, origin: str) -> None:
    if not compute.access.same((plan, zone), (item["plan"], item["zone"])):
        raise ConfigurationConflict(
            f"{item['name']} is there with the plan {plan} in {zone}, {origin}; wanted is {item['plan']} in "
            f"{item['zone']}: give it another name, or remove it",
            plan=plan,
            zone=zone,
        )


def _failed(name: str, origin: str) -> ConfigurationConflict:
    """What is not ours to remove, and of no use to whoever wants it."""
    told = f"{name} is there, {origin}, and has failed: remove it, or choose another name"
    return ConfigurationConflict(told)


def _spec(item: Item, lineage: str) -> Spec:
    return Spec(
        name=item["name"],
        plan=item["plan"],
        zone=item["zone"],
        batch=lineage,
        install=cast("Mapping[str, Any]", item.get("image") or {}),
        rehearsal=cast("Mapping[str, Any]", item.get("rehearsal") or {}),
    )


def _note(ctx: Context, row: InstanceRow, machine: Machine) -> None:
    state = "running" if machine.state == "running" else "creating"
    address = machine.addresses[0] if machine.addresses else None
    known: InstanceRow = {"resource_id": machine.id, "state": state, "address": address}
    INSTANCES.note(ctx.db, row["id"], known)


def _made(row: InstanceRow, machine: Machine) -> Result:
    address = machine.addresses[0] if machine.addresses else None
    return {"resource_id": machine.id, "effect": "created", "address": address}
