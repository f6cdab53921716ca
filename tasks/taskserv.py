"""Taskservs of batches: installed once under a token, found when they are there, removed when we put them."""

from collections.abc import Mapping
from typing import Any

from app.domain.batch.tokens import token
from app.domain.errors import Permanent, StepError
from app.domain.policy import Backoff, backoff
from app.domain.rows.batches import InstallationRow, InstanceRow
from app.providers.shells import Ran, Shell
from app.providers.taskservs import Taskserv
from app.record.batches.effects import GONE, INSTALLATIONS, INSTANCES
from app.record.runs import runs
from app.record.session import Tx
from tasks.attempts import Attempts
from tasks.context import Context
from tasks.step import Again, Finished, operation

Item = Mapping[str, Any]  # name, taskserv, server, provider, account; of a removal also installation.
Result = dict[str, object]
POLLS = backoff("1s", factor=1.5, cap="15s", limit=0, jitter=False)
RETRY = backoff("5s", cap="5m", limit=3)
LOOKS_S = 20.0  # What a script gets that only looks.
PRESENT, ABSENT = 0, 1  # What a check exits with.


class InstallationFailed(StepError):
    """The script of a taskserv failed."""

    code = "TASKSERV_FAILED"


class ServerMissing(Permanent):
    """The server on which a taskserv is to work is not there."""

    code = "SERVER_MISSING"
    nothing_happened = True


@operation(timeout="10m", every=POLLS, retry=RETRY)
def install(
    ctx: Context, item: Item, operation: str, lineage: str, policy: object = None
) -> dict[str, object] | Finished:
    """The taskserv is on the server, put there by this batch or before it."""
    return _begin(ctx, item, operation, lineage, policy) or {"item": item["name"]}


@install.poll
def is_installed(
    ctx: Context, item: Item, operation: str, lineage: str, policy: object = None
) -> Again | Result:
    """Its script has ended well, and the check finds it; one that failed is tried again."""
    server, wanted, shell = _reach(ctx, item)
    row = ctx.db.read(lambda tx: INSTALLATIONS.live(tx, instance=server["id"], taskserv=wanted.name))
    # The intent is not written yet: it waits for what it requires, and each poll looks again whether that is
    # there.
    if row is None or row["run_id"] != ctx.run_id:
        finished = _begin(ctx, item, operation, lineage, policy)
        return Again(f"{item['name']} waits for its turn") if finished is None else dict(finished.result)
    attempts = _installing(shell, wanted, row, policy)
    number, ended = attempts.latest()
    if ended is None:
        attempts.begin(number)  # Unless it runs; it may have died.
        return Again(f"{item['name']} is being installed")
    seen = shell.run(wanted.check, _env(wanted), within_s=LOOKS_S)
    if ended.code != 0 or seen.code != PRESENT:
        return _again(ctx, attempts, number, f"{item['name']} was not installed", ended, seen)
    known: InstallationRow = {"state": "installed", "version": seen.output[:128] or None}
    ctx.db.write(lambda tx: INSTALLATIONS.change(tx, row["id"], known))
    return {"resource_id": server["resource_id"], "effect": "created", "version": seen.output}


@operation(timeout="15m", every=POLLS, retry=RETRY)
def remove(ctx: Context, item: Item, policy: object = None) -> dict[str, object] | Finished:
    """The taskserv is not on the server any more."""
    if item.get("with_server"):  # The same rollback removes that, which may be the reason for the failure.
        return Finished({"effect": "removed", "detail": "with its server"})
    found = _standing(ctx, item)
    if found is None:
        return Finished({"effect": "removed"})
    row, wanted, shell = found
    ctx.db.write(lambda tx: INSTALLATIONS.change(tx, row["id"], {"state": "removing"}))
    Attempts(shell=shell, token=row["token"], script="", env={}, limit=_limit(policy)).forget()
    _removing(ctx, shell, wanted, row, policy).begin(1)
    return {"installation": row["id"]}


@remove.poll
def is_removed(ctx: Context, item: Item, policy: object = None) -> Again | Result:
    """Its script has ended, and the check does not find it."""
    found = _standing(ctx, item)
    if found is None:
        return {"effect": "removed"}
    row, wanted, shell = found
    attempts = _removing(ctx, shell, wanted, row, policy)
    number, ended = attempts.latest()
    if ended is None:
        attempts.begin(number)
        return Again(f"{item['name']} is being removed")
    seen = shell.run(wanted.check, _env(wanted), within_s=LOOKS_S)
    if seen.code != ABSENT:
        return _again(ctx, attempts, number, f"{item['name']} is still there", ended, seen)
    ctx.db.write(lambda tx: INSTALLATIONS.change(tx, row["id"], {"state": GONE}))
    return {"effect": "removed"}


def _begin(ctx: Context, item: Item, operation: str, lineage: str, policy: object) -> Finished | None:
    """Look, write the intent, begin the script; None while it runs or waits for what it requires."""
    server, wanted, shell = _reach(ctx, item)
    row = ctx.db.read(lambda tx: INSTALLATIONS.live(tx, instance=server["id"], taskserv=wanted.name))
    seen = shell.run(wanted.check, _env(wanted), within_s=LOOKS_S)
    if seen.code == PRESENT and (row is None or row["lineage"] != lineage or row["state"] == "installed"):
        effect = "created" if row is not None and row["lineage"] == lineage else "kept"
        known = {"resource_id": server["resource_id"], "version": seen.output}
        return Finished({**known, "effect": effect})
    if _is_missing(ctx, shell, item, wanted):
        return None
    if row is not None and row["run_id"] != ctx.run_id:  # An earlier run was not done with it.
        _installing(shell, wanted, row, policy).forget()
    # The intent before the script: what a lost worker has begun on the server is found by the row's token.
    made = ctx.db.write(lambda tx: _intended(tx, ctx, item, server, operation, lineage))
    attempts = _installing(shell, wanted, made, policy)
    number, ended = attempts.latest()
    if ended is None:
        attempts.begin(number)
    return None


def _again(ctx: Context, attempts: Attempts, number: int, told: str, ended: Ran, seen: Ran) -> Again:
    """Begin the next attempt, once the wait after a failure is over; raises until then, or after the last."""
    is_last = number == attempts.limit
    if ctx.tries > 1 and not is_last:
        attempts.begin(number + 1)
        return Again(f"{told}: attempt {number + 1}")
    said = ended.output or seen.output or "its script said nothing"
    error = InstallationFailed(f"{told} (exit {ended.code}): {said[-500:]}", attempts=number)
    error.retryable = not is_last
    raise error


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
            error = InstallationFailed(f"{item['name']} requires {name}, {why}", nothing_happened=True)
            error.retryable = False
            raise error
        return True
    return False


def _item_of(given: Mapping[str, object] | None) -> Mapping[str, object]:
    found = (given or {}).get("item")
    return found if isinstance(found, dict) else {}


def _standing(ctx: Context, item: Item) -> tuple[InstallationRow, Taskserv, Shell] | None:
    """What is to be removed, and where; None when it, or its server, is gone."""
    row = ctx.db.read(lambda tx: INSTALLATIONS.read(tx, item["installation"]))
    server = None if row is None else ctx.db.read(lambda tx: INSTANCES.read(tx, row["instance"]))
    if row is None or server is None or GONE in (row["state"], server["state"]):
        return None
    shell = ctx.capabilities.shell(server["provider"], server["account"], server["name"])
    return row, ctx.capabilities.taskserv(row["taskserv"]), shell


def _reach(ctx: Context, item: Item) -> tuple[InstanceRow, Taskserv, Shell]:
    where = (item["provider"], item["account"], item["server"])
    provider, account, name = where
    server = ctx.db.read(lambda tx: INSTANCES.live(tx, provider=provider, account=account, name=name))
    if server is None:
        raise ServerMissing(f"There is no server {item['server']} at {item['provider']} that a batch made")
    return server, ctx.capabilities.taskserv(item["taskserv"]), ctx.capabilities.shell(*where)


def _installing(shell: Shell, wanted: Taskserv, row: InstallationRow, policy: object) -> Attempts:
    script, env, limit = wanted.install, _env(wanted), _limit(policy)
    return Attempts(shell=shell, token=row["token"], script=script, env=env, limit=limit)


def _removing(ctx: Context, shell: Shell, wanted: Taskserv, row: InstallationRow, policy: object) -> Attempts:
    """Each rollback has attempts of its own."""
    undo = f"{row['token']}-{ctx.run_id}"
    return Attempts(shell=shell, token=undo, script=wanted.remove, env=_env(wanted), limit=_limit(policy))


def _limit(policy: Any) -> int:
    return Backoff(**policy).limit if policy else RETRY.limit


def _env(wanted: Taskserv) -> dict[str, str]:
    return {"TASKSERV": wanted.name, "VERSION": wanted.version}


def _intended(
    tx: Tx, ctx: Context, item: Item, server: InstanceRow, operation: str, lineage: str
) -> InstallationRow:
    """The row of this batch; what another batch began and never finished counts as gone."""
    live = INSTALLATIONS.live(tx, instance=server["id"], taskserv=item["taskserv"])
    if live is not None and live["lineage"] == lineage:
        INSTALLATIONS.change(tx, live["id"], {"run_id": ctx.run_id})
        return live
    if live is not None:
        INSTALLATIONS.change(tx, live["id"], {"state": GONE})
    number = INSTALLATIONS.begun(tx, lineage, operation, instance=server["id"], taskserv=item["taskserv"]) + 1
    return INSTALLATIONS.intend(
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
