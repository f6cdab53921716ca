"""What steps do with the object of a cluster or a machine: whose it is, that it is there, that it goes."""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import Permanent, StepError
from tasks.context import Context
from tasks.managed import Kind, Row, row_of, wait_on
from tasks.step import Again


class NameTaken(Permanent):
    """Somebody else has an object of this name in the management cluster."""

    code = "CONFLICT"
    nothing_happened = True


class Vanished(Permanent):
    """The object was deleted in the management cluster, by somebody else."""

    code = "RESOURCE_GONE"


class StillThere(StepError):
    """What is being deleted or given back is not gone yet: another attempt looks again."""

    code = "STILL_THERE"
    nothing_happened = True


def keep(ctx: Context, kind: Kind, id_: str, seen: Any) -> None:
    """Keep what was just seen of the object, or that there is none."""
    if seen is None:
        ctx.db.write(lambda tx: kind.rows.note_gone(tx, id_))
        return
    told = {"uid": seen.uid, "version": seen.resource_version, "facts": seen.facts()}
    ctx.db.write(lambda tx: kind.rows.note_seen(tx, id_, **told))


def own(seen: Any, row: Row) -> bool:
    """Whether an object is there and the resource's: by its label, or as the very one that was seen before.

    Anybody can take a label away; the object lives on, and so do the servers below it.
    """
    return seen is not None and (seen.owner == row["id"] or seen.uid == row["uid"])


def found(ctx: Context, kind: Kind, row: Row) -> Any:
    """The object of this name, whoever made it; None when there is none."""
    return kind.objects(ctx, row["management_id"]).find(row["name"])


def check_free(kind: Kind, seen: Any, row: Row) -> None:
    """Refuse to take over what others made, and wait for what is still dying."""
    name = f"{kind.object} {row['name']}"
    # Before the question whose it is: a name is free when the object is gone, not when its end was asked for.
    if seen is not None and seen.deleting:
        raise StillThere(f"{name} is still being deleted; its name is not free yet")
    if seen is not None and not own(seen, row):
        raise NameTaken(f"{name} is there already, and it is not ours", owner=seen.owner)


def present(ctx: Context, kind: Kind, row: Row) -> Any:
    """The object of a resource, noted as it is now; raises `Vanished` when there is none."""
    there = found(ctx, kind, row)
    ours_ = own(there, row)
    keep(ctx, kind, row["id"], there if ours_ else None)
    if not ours_ or there.deleting:
        raise Vanished(f"{kind.object} {row['name']} is gone; somebody else deleted it")
    return there


def remove(ctx: Context, kind: Kind, id_: str) -> None:
    """Nothing is left of the object: asked for until it is gone, for its name and servers wait for it."""
    row = row_of(ctx, kind, id_)
    there = found(ctx, kind, row)
    if own(there, row) and not there.deleting:
        # With its uid: an object of the same name that somebody has made meanwhile is left alone.
        kind.objects(ctx, row["management_id"]).delete(there.name, there.uid)
        there = found(ctx, kind, row)
    if own(there, row):
        keep(ctx, kind, id_, there)
        raise StillThere(_leaving(kind, there))
    keep(ctx, kind, id_, None)


def gone(
    ctx: Context, kind: Kind, id_: str, ref: Mapping[str, object], slow_after: str
) -> Again | dict[str, object]:
    """Whether the object is gone, or what holds it."""
    row = row_of(ctx, kind, id_)
    there = found(ctx, kind, row)
    if not own(there, row):
        keep(ctx, kind, id_, None)
        return {}
    keep(ctx, kind, id_, there)
    return wait_on(ctx, kind, id_, ref, slow_after, _leaving(kind, there))


def _leaving(kind: Kind, there: Any) -> str:
    return f"{kind.object} {there.name} is being deleted: {there.told}"
