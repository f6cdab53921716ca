"""Steps that bring the cache up to date: what is there is looked at again, and what differs is kept.

They change nothing but the record, so there is nothing to undo and nothing to lock.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import structlog

from app.domain.errors import BmcError, Contended, StepError, StepTimedOut, WindlassError
from app.domain.observed import MOST_NAMED
from app.domain.policy import backoff
from app.providers.reflector import Reflector
from app.record.inventory import power
from app.record.inventory.observed import Changed, observe, observe_missing, unlisted
from app.record.session import Tx
from tasks.context import Context
from tasks.managed import PATIENT
from tasks.step import Again, operation, step
from tasks.watched import OURS, WATCHED, after_all, selecting

log = structlog.get_logger()
LEFT_TO_OTHERS = ("busy", "login_backoff")  # A run has the controller, or it is left alone for a while.
AT_ONCE = 50  # Resources that one selector names.
POLLS = backoff("5s", factor=1.5, cap="30s", limit=0, jitter=False)
BUDGET_S = 20.0  # What one poll spends on controllers, which may take seconds to fall silent.
CHUNK = 50  # Servers that one poll asks at most.
HELD_S = 1.0  # How long one server's row is waited for.
SHIFT_MS = 3_600_000  # After so long a run in which nothing happened ends, and another one goes on.


@step(queue="kube", retry=PATIENT, timeout="5m", gives=("listed", "differing"))
def diff(
    ctx: Context, management_id: str, kind: str, objects: dict[str, str] | None = None
) -> dict[str, object]:
    """List the objects, or those that are said to have changed, and compare them with the record."""
    listed, changed = _walk(ctx, management_id, kind, list(objects or ()), dry=True)
    return {"listed": listed, "differing": [id_ for id_, _ in changed][: MOST_NAMED + 1]}


@step(queue="kube", retry=PATIENT, timeout="5m", gives="upserted")
def upsert(ctx: Context, management_id: str, kind: str, differing: list[str]) -> dict[str, object]:
    """Keep what differs, as it is by now; the projector has usually been faster."""
    changed: Changed = []
    if differing:
        named = differing if len(differing) <= MOST_NAMED else []
        _, changed = _walk(ctx, management_id, kind, named, dry=False)
    return {"upserted": dict(Counter(word for _, word in changed))}


@operation(queue="bmc", timeout="2h", every=POLLS, gives=("changed", "versions"))
def poll_power(ctx: Context) -> dict[str, object]:
    """Ask the controllers of all servers for their power, each now and then, until something has changed."""
    return {"since": ctx.db.read(lambda tx: tx.now)}


@poll_power.poll
def polled(ctx: Context, ref: dict[str, Any], everyMs: int = 300_000) -> Again | dict[str, object]:
    """Ask those whose turn it is; what is new is kept by the next step, so that it is told for certain."""
    until = time.monotonic() + BUDGET_S
    changed: dict[str, object] = {}
    versions: dict[str, int] = {}
    asked = 0
    for row in ctx.db.read(lambda tx: power.due(tx, everyMs, CHUNK)):
        if time.monotonic() > until or ctx.cancelled():
            break
        asked += 1
        new = _ask(ctx, row)
        if new:
            changed[row["id"]], versions[row["id"]] = new, row["version"]
    over = ctx.db.read(lambda tx: tx.now) > ref["since"] + SHIFT_MS
    if changed or over:
        return {"changed": changed, "versions": versions}
    return Again(f"{asked} servers asked, nothing has changed")


@step
def keep_power(ctx: Context, changed: dict[str, Any], versions: dict[str, int]) -> None:
    """Keep what is new, unless a run has changed the server since it was asked."""
    for server_id, new in changed.items():
        answered = "power" in new or new.get("health") == "healthy"
        facts = {"version": versions[server_id], "new": new, "answered": answered}
        if not _written(ctx, partial(power.keep, server_id=server_id, **facts)):
            ctx.log("not kept, since somebody holds its row; the next poll sees it again", server=server_id)


def _ask(ctx: Context, row: dict[str, Any]) -> dict[str, object]:
    """Ask one controller; what is new. One that a run talks to right now is left to that run.

    Whatever goes wrong with one server is told of that server alone: the round goes on with the others.
    """
    # Before it is asked: a controller that takes a worker down with it must not be the first one again.
    if not _written(ctx, lambda tx: power.note_asked(tx, row["id"])):
        return {}
    try:
        state = ctx.bmc(row["id"]).power()
    except StepTimedOut:
        raise
    except StepError as error:
        ctx.log("not answered", server=row["id"], why=error.message)
        mine = isinstance(error, BmcError) and error.details.get("reason") not in LEFT_TO_OTHERS
        return power.trouble(row, power.WORDS.get(error.code, power.ODD)) if mine else {}
    except WindlassError:
        raise  # The database is away: there is nothing that could be kept.
    except Exception as error:  # A library's own, which nobody has met before.
        log.exception("power.asked", server=row["id"])
        ctx.log("not answered", server=row["id"], why=type(error).__name__)
        return power.trouble(row, power.ODD)
    new = power.news(row, state)
    if not new:
        _written(ctx, partial(power.keep, server_id=row["id"], version=row["version"], new={}, answered=True))
    return new


def _written(ctx: Context, work: Callable[[Tx], None]) -> bool:
    """Write something of one server; False when somebody holds its row, for which the others do not wait."""
    try:
        ctx.db.write(work, patience_s=HELD_S)
    except Contended:
        return False
    return True


def _walk(ctx: Context, management_id: str, kind: str, ids: list[str], *, dry: bool) -> tuple[int, Changed]:
    """Look at all objects of a kind, or at those of some resources; how many there are, and what is new."""
    row, kube = ctx.capabilities.kube(management_id)
    here: dict[str, Any] = {"kind": kind, "management_id": management_id, "dry": dry}
    watched, do = WATCHED[kind], ctx.db.read if dry else ctx.db.write
    count, changed = 0, list[tuple[str, str]]()
    with closing(kube):
        for query, among in _queries(ids):
            listed: set[str] = set()
            for page in Reflector(watched.path(row), query).pages(kube):
                looks = [watched.look(one) for one in page.objects]
                listed.update(look.id for look in looks)
                changed += do(partial(observe, looks=looks, **here))
            missing = ctx.db.read(
                partial(unlisted, kind=kind, management_id=management_id, listed=listed, among=among)
            )
            # A list by label is no proof that an object is gone: somebody may have taken the label away. Each
            # is asked for by its name before its servers are given to others.
            looks = after_all(kube, row, watched, missing)
            changed += do(partial(observe, looks=looks, **here))
            there = listed | {look.id for look in looks}
            changed += do(partial(observe_missing, listed=there, version=page.version, among=among, **here))
            count += len(listed)
    return count, changed


def _queries(ids: list[str]) -> Iterator[tuple[dict[str, str], list[str] | None]]:
    if not ids:
        yield OURS, None
    for at in range(0, len(ids), AT_ONCE):
        some = ids[at : at + AT_ONCE]
        yield selecting(some), some
