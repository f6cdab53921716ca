"""Taskservs of batches: installed once under a token, found when they are there, removed when we put them."""

from collections.abc import Mapping
from typing import Any

from app.domain.batch.tokens import token
from app.domain.errors import Permanent, StepError
from app.domain.policy import backoff
from app.domain.rows.batches import InstallationRow, InstanceRow
from app.providers.shells import Ran, Shell
from app.providers.taskservs import Taskserv
from app.record.batches import instances
from app.record.runs import runs
from app.record.session import Tx
from tasks.context import Context
from tasks.step import Again, Finished, operation

Item = Mapping[str, Any]  # name, taskserv, server, provider, account.
Result = dict[str, Any]
POLLS = backoff("1s", factor=1.5, cap="15s", limit=0, jitter=False)
LOOKS_S = 20.0  # What a script gets that only looks.
PRESENT, ABSENT = 0, 1  # What a check exits with.


class InstallationFailed(StepError):
    """The script of a taskserv failed."""

    code = "TASKSERV_FAILED"


class ServerMissing(Permanent):
    """The server on which a taskserv is to work is not there."""

    code = "SERVER_MISSING"
    nothing_happened = True


@operation(timeout="10m", every=POLLS, retry=backoff("5s", cap="5m", limit=3))
def install(
    ctx: Context, item: Item, operation: str, lineage: str, policy: Any = None
) -> dict[str, Any] | Finished:
    """The taskserv is on the server, put there by this batch or before it."""
    begun = _begin(ctx, item, operation, lineage)
    return {"begun": False} if begun is None else begun


@install.poll
def is_installed(
    ctx: Context, item: Item, operation: str, lineage: str, ref: dict[str, Any]
) -> Again | Result:
    """Its script has ended well, and the check finds it."""
    if not ref.get("begun"):
        begun = _begin(ctx, item, operation, lineage)
        if begun is None:
            return Again(f"{item['name']} waits for what it requires")
        if isinstance(begun, Finished):
            return dict(begun.result)
    server, wanted, shell = _reach(ctx, item)
    row = ctx.db.read(lambda tx: instances.installed(tx, server["id"], wanted.name))
    if row is None:
        raise StepError(f"The installation of {item['name']} is not known any more")
    ended = shell.ended(row["token"])
    if ended is None:
        return Again(f"{item['name']} is being installed")
    return _judged(ctx, shell, wanted, row, ended)


@operation(timeout="15m", every=POLLS, retry=backoff("5s", cap="5m", limit=3))
def remove(ctx: Context, item: Item, policy: Any = None) -> dict[str, Any] | Finished:
    """The taskserv is not on the server any more."""
    row = ctx.db.read(lambda tx: instances.read_installation(tx, item["installation"]))
    server = None if row is None else ctx.db.read(lambda tx: instances.read(tx, row["instance"]))
    if row is None or row["state"] == instances.GONE or server is None or server["state"] == instances.GONE:
        return Finished({"effect": "removed"})
    wanted = ctx.capabilities.taskserv(row["taskserv"])
    shell = ctx.capabilities.shell(server["provider"], server["account"], server["name"])
    ctx.db.write(lambda tx: instances.change_installation(tx, row["id"], {"state": "removing"}))
    shell.stop(row["token"])  # It may still be at work, or have been.
    shell.start(f"{row['token']}-undo", wanted.remove, _env(wanted))
    return {"installation": row["id"]}


@remove.poll
def is_removed(ctx: Context, item: Item, ref: dict[str, Any]) -> Again | Result:
    """Its script has ended, and the check does not find it."""
    row = ctx.db.read(lambda tx: instances.read_installation(tx, ref["installation"]))
    server = None if row is None else ctx.db.read(lambda tx: instances.read(tx, row["instance"]))
    if row is None or server is None:
        return {"effect": "removed"}
    wanted = ctx.capabilities.taskserv(row["taskserv"])
    shell = ctx.capabilities.shell(server["provider"], server["account"], server["name"])
    undo = f"{row['token']}-undo"
    ended = shell.ended(undo)
    if ended is None:
        return Again(f"{item['name']} is being removed")
    if shell.run(wanted.check, _env(wanted), within_s=LOOKS_S).code != ABSENT:
        shell.stop(undo)  # So that the next attempt begins it anew.
        raise InstallationFailed(
            f"{item['name']} is still there: {ended.output or 'its script said nothing'}"
        )
    ctx.db.write(lambda tx: instances.change_installation(tx, row["id"], {"state": instances.GONE}))
    return {"effect": "removed"}


def _begin(ctx: Context, item: Item, operation: str, lineage: str) -> dict[str, Any] | Finished | None:
    """Look, write the intent, begin the script; None while something that it requires is missing."""
    server, wanted, shell = _reach(ctx, item)
    row = ctx.db.read(lambda tx: instances.installed(tx, server["id"], wanted.name))
    seen = shell.run(wanted.check, _env(wanted), within_s=LOOKS_S)
    if seen.code == PRESENT and (row is None or row["lineage"] != lineage):
        return Finished({"resource_id": server["resource_id"], "effect": "kept", "version": seen.output})
    if seen.code == PRESENT and row is not None and row["state"] == "installed":
        return Finished({"resource_id": server["resource_id"], "effect": "created", "version": seen.output})
    if _is_missing(ctx, shell, item, wanted):
        return None
    made = row or ctx.db.write(lambda tx: _intended(tx, ctx, item, server, operation, lineage))
    ended = shell.ended(made["token"])
    if ended is not None and (ended.code != 0 or seen.code != PRESENT):
        shell.stop(made["token"])  # An earlier attempt failed: this one begins it anew.
    shell.start(made["token"], wanted.install, _env(wanted))
    return {"begun": True}


def _is_missing(ctx: Context, shell: Shell, item: Item, wanted: Taskserv) -> bool:
    """Whether something that it requires is not there; raises when that will not come from this batch."""
    for name in wanted.requires:
        other = ctx.capabilities.taskserv(name)
        if shell.run(other.check, _env(other), within_s=LOOKS_S).code == PRESENT:
            continue
        sibling = f"{name}@{item['server']}"
        steps = ctx.db.read(lambda tx: runs.all_steps(tx, ctx.run_id))
        states = [row["status"] for row in steps if _item_of(row.get("given")).get("name") == sibling]
        if not states or states[0] in ("failed", "cancelled"):
            why = "which failed" if states else "which is not there and not among these taskservs"
            raise InstallationFailed(f"{item['name']} requires {name}, {why}", nothing_happened=True)
        return True
    return False


def _item_of(given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (given or {}).get("item")
    return found if isinstance(found, dict) else {}


def _judged(ctx: Context, shell: Shell, wanted: Taskserv, row: InstallationRow, ended: Ran) -> Result:
    seen = shell.run(wanted.check, _env(wanted), within_s=LOOKS_S)
    if ended.code != 0 or seen.code != PRESENT:
        said = ended.output or seen.output or "its script said nothing"
        raise InstallationFailed(f"{wanted.name} was not installed (exit {ended.code}): {said[-500:]}")
    known: InstallationRow = {"state": "installed", "version": seen.output[:128] or None}
    ctx.db.write(lambda tx: instances.change_installation(tx, row["id"], known))
    return {"effect": "created", "version": seen.output}


def _reach(ctx: Context, item: Item) -> tuple[InstanceRow, Taskserv, Shell]:
    where = (item["provider"], item["account"], item["server"])
    server = ctx.db.read(lambda tx: instances.live(tx, *where))
    if server is None:
        raise ServerMissing(f"There is no server {item['server']} at {item['provider']} that a batch made")
    return server, ctx.capabilities.taskserv(item["taskserv"]), ctx.capabilities.shell(*where)


def _env(wanted: Taskserv) -> dict[str, str]:
    return {"TASKSERV": wanted.name, "VERSION": wanted.version}


def _intended(
    tx: Tx, ctx: Context, item: Item, server: InstanceRow, operation: str, lineage: str
) -> InstallationRow:
    live = instances.installed(tx, server["id"], item["taskserv"])
    if live is not None:
        return live
    number = instances.installations_begun(tx, lineage, operation, server["id"], item["taskserv"]) + 1
    return instances.intend_installation(
        tx,
        {
            "instance": server["id"],
            "taskserv": item["taskserv"],
            "version": None,
            "state": "intended",
            "token": token(lineage, operation, item["name"], number),
            "incarnation": number,
            "lineage": lineage,
            "operation": operation,
            "run_id": ctx.run_id,
        },
    )
