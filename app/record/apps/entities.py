"""Steps, hooks and waits of runs: read, inserted and changed by the event's correlation id."""

from typing import Any

from sqlalchemy import Table, select, update

from app.domain.apps.decide import Write
from app.domain.apps.words import HookStatus, WaitStatus
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_hook, app_run, app_step, app_wait

Row = dict[str, Any]
TABLES: dict[str, Table] = {"run": app_run, "step": app_step, "hook": app_hook, "wait": app_wait}


def entity(tx: Tx, scope: Scope, kind: str, run_id: str, correlation_id: str) -> Row | None:
    """The step, hook or wait of a correlation id."""
    table = TABLES[kind]
    found = select(table).where(scope.owns(table), table.c.run_id == run_id)
    return tx.row(found.where(table.c.correlation_id == correlation_id))


def write_entity(
    tx: Tx, scope: Scope, kind: str, run_id: str, correlation_id: str, write: Write, *, slot: int
) -> None:
    """Insert or change the step, hook or wait of a correlation id; ``slot`` is that of the event."""
    table = TABLES[kind]
    key = {"run_id": run_id, "correlation_id": correlation_id}
    if write.insert:
        more = {"seq": slot} if kind == "step" else {}
        tx.execute(table.insert().values(**scope.key, **key, **more, **write.columns))
        return
    changed = update(table).where(scope.owns(table), table.c.run_id == run_id)
    tx.execute(changed.where(table.c.correlation_id == correlation_id).values(**write.columns))


def write_run(tx: Tx, scope: Scope, run_id: str, write: Write) -> bool:
    """Insert or change a run; False when a run with this id existed before the insert."""
    if write.insert:
        made = tx.insert(app_run).values(**scope.key, **write.columns).on_conflict_do_nothing()
        # There is no row to lock yet, so two transactions may create the same run. The second waits at the
        # key, inserts nothing, and its caller decides again with the existing run (`RunAppeared`).
        return tx.value(made.returning(app_run.c.id)) is not None
    changed = update(app_run).where(scope.owns(app_run), app_run.c.id == run_id)
    return tx.execute(changed.values(**write.columns)).rowcount == 1


def holder(tx: Tx, scope: Scope, token: str) -> Row | None:
    """The hook that holds a token: one that has not been disposed of."""
    found = select(app_hook).where(scope.owns(app_hook), app_hook.c.token == token)
    # A token is free as soon as its hook is disposed of, not when its run is deleted.
    return tx.row(found.where(app_hook.c.disposed_at.is_(None)))


def end_hooks_and_waits(tx: Tx, scope: Scope, run_id: str) -> None:
    """Dispose of the hooks of a run that has ended, which frees their tokens, and complete its waits."""
    open_hooks = update(app_hook).where(scope.owns(app_hook), app_hook.c.run_id == run_id)
    # Also hooks that have received a payload: only a disposed hook frees its token (chaos: "a token is freed
    # too late").
    open_hooks = open_hooks.where(app_hook.c.status != str(HookStatus.DISPOSED))
    tx.execute(open_hooks.values(status=str(HookStatus.DISPOSED), disposed_at=tx.now))
    open_waits = update(app_wait).where(scope.owns(app_wait), app_wait.c.run_id == run_id)
    open_waits = open_waits.where(app_wait.c.status == str(WaitStatus.WAITING))
    tx.execute(open_waits.values(status=str(WaitStatus.COMPLETED), completed_at=tx.now, updated_at=tx.now))
