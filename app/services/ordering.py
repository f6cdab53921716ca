"""What ordering a run on a cluster or a machine has in common: quota, acceptance, the state it will show."""

from collections.abc import Callable, Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain.errors import NotFound, QuotaExceeded
from app.engine.accept import Order
from app.engine.journal import Hint
from app.record import locks
from app.record.session import Tx
from app.services.runs import accept_order
from app.services.world import World

Row = dict[str, Any]
Started = tuple[Row, Row]  # The resource and its run.


def check_quota(tx: Tx, what: str, count: Callable[[Tx], int], limit: int) -> None:
    """Refuse one more than there may be; nobody else counts until this transaction ends."""
    if not limit:
        return
    locks.enter(tx, f"quota/{what}")
    there = count(tx)
    if there >= limit:
        raise QuotaExceeded(f"there are {there} {what}, and {limit} are allowed", limit=limit, used=there)


def ordered(
    tx: Tx,
    world: World,
    run_id: str,
    order: Order,
    principal: Principal,
    read: Callable[[Tx, str], Row | None],
    transient: Mapping[str, str],
) -> tuple[Started, list[Hint]]:
    """Accept the run, and show the resource as the run will: its first step writes it (contract 1, A.8)."""
    j = accept_order(tx, world, run_id, order, principal)
    row = read(tx, str(j.run["resource_id"]))
    if row is None:
        raise NotFound(f"there is no {order.type.partition('.')[0]} {j.run['resource_id']}")
    action = str(order.input.get("action") or order.type.partition(".")[2])
    return ({**row, "state": transient.get(action, row["state"])}, j.run), j.hints


def started(world: World, work: Callable[[Tx], tuple[Started, list[Hint]]]) -> Started:
    """Do it in a transaction, then ring for what it started."""
    done, hints = world.db.write(work)
    world.ring(hints)
    return done
