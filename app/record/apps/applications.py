"""Applications, their bindings and quotas, and the versions they are deployed in."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import and_, delete, func, select, update

from app.domain.apps.words import HookStatus, WaitStatus
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import (
    app_binding,
    app_handler,
    app_hook,
    app_message,
    app_run,
    app_version,
    app_wait,
    application,
)

Row = dict[str, Any]
Binding = tuple[str, str]  # Namespace and account.


def names(tx: Tx) -> frozenset[str]:
    """The ids of all applications."""
    return frozenset(row["id"] for row in tx.rows(select(application.c.id).where(_ours(tx, application))))


def all_applications(tx: Tx) -> list[Row]:
    """Every application, by id."""
    found = select(application).where(_ours(tx, application))
    return tx.rows(found.order_by(application.c.id))


def one(tx: Tx, app: str) -> Row | None:
    """One application."""
    return tx.row(select(application).where(_ours(tx, application), application.c.id == app))


def insert(tx: Tx, app: str) -> bool:
    """Insert an application; False when it exists."""
    made = tx.insert(application).values(tenant_id=tx.tenant, id=app, created_at=tx.now)
    return tx.row(made.on_conflict_do_nothing().returning(application.c.id)) is not None


def change(tx: Tx, app: str, columns: Mapping[str, Any]) -> bool:
    """Set columns of an application; False when it does not exist."""
    changed = update(application).where(_ours(tx, application), application.c.id == app)
    return tx.execute(changed.values(**columns)).rowcount == 1


def all_bindings(tx: Tx) -> dict[Binding, frozenset[str]]:
    """The applications that each account is bound to."""
    found: dict[Binding, set[str]] = {}
    for row in tx.rows(select(app_binding).where(_ours(tx, app_binding))):
        found.setdefault((row["namespace"], row["account"]), set()).add(row["app"])
    return {who: frozenset(apps) for who, apps in found.items()}


def bindings_of(tx: Tx, app: str) -> list[Row]:
    """The accounts that are bound to an application."""
    found = select(app_binding).where(_ours(tx, app_binding), app_binding.c.app == app)
    return tx.rows(found.order_by(app_binding.c.namespace, app_binding.c.account))


def bind(tx: Tx, app: str, who: Binding) -> None:
    """Bind an account to an application."""
    made = tx.insert(app_binding).values(
        tenant_id=tx.tenant, namespace=who[0], account=who[1], app=app, created_at=tx.now
    )
    tx.execute(made.on_conflict_do_nothing())


def unbind(tx: Tx, app: str, who: Binding) -> bool:
    """Remove a binding; False when it does not exist."""
    gone = delete(app_binding).where(_ours(tx, app_binding), app_binding.c.app == app)
    gone = gone.where(app_binding.c.namespace == who[0], app_binding.c.account == who[1])
    return tx.execute(gone).rowcount == 1


def versions(tx: Tx, scope: Scope) -> list[Row]:
    """The versions that were announced, the newest first."""
    found = select(app_version).where(scope.owns(app_version))
    return tx.rows(found.order_by(app_version.c.created_at.desc(), app_version.c.version))


def announce(tx: Tx, scope: Scope, version: str, status: str) -> None:
    """Store the status of a version."""
    values = {**scope.key, "version": version, "status": status, "updated_at": tx.now}
    made = tx.insert(app_version).values(**values, created_at=tx.now)
    tx.execute(
        made.on_conflict_do_update(
            index_elements=["tenant_id", "app", "version"],
            set_={"status": status, "updated_at": tx.now},
        )
    )


def retire(tx: Tx, scope: Scope, version: str) -> None:
    """Set the status of a version to expired, and delete its handlers."""
    known = update(app_version).where(scope.owns(app_version), app_version.c.version == version)
    tx.execute(known.values(status="expired", updated_at=tx.now))
    handlers = delete(app_handler).where(scope.owns(app_handler), app_handler.c.version == version)
    tx.execute(handlers)


def open_runs_of(tx: Tx, scope: Scope, version: str, limit: int) -> list[str]:
    """Runs of a version that have not ended, in the order in which they are locked."""
    # In the order of their ids, so that two concurrent calls lock runs in the same order.
    found = select(app_run.c.id).where(scope.owns(app_run), app_run.c.deployment == version)
    return [row["id"] for row in tx.rows(found.where(_open()).order_by(app_run.c.id).limit(limit))]


def open_runs(tx: Tx, scope: Scope, most: int) -> int:
    """How many runs of the application have not ended; counting stops at ``most``."""
    # Counting stops at the quota: counting far more runs would cost more and change no decision.
    few = select(app_run.c.id).where(scope.owns(app_run), _open()).limit(most).subquery()
    return int(tx.value(select(func.count()).select_from(few)))


def in_use(tx: Tx, scope: Scope, version: str) -> Row:
    """How many runs, hooks, waits and messages of a version are still open."""

    def of_runs(table: Any, at_work: Any) -> int:
        same = and_(scope.owns(app_run), app_run.c.deployment == version, app_run.c.id == table.c.run_id)
        counted = select(func.count()).select_from(table.join(app_run, same))
        return int(tx.value(counted.where(scope.owns(table), at_work)))

    runs = select(func.count()).where(scope.owns(app_run), app_run.c.deployment == version, _open())
    queued = select(func.count()).where(scope.owns(app_message), app_message.c.version == version)
    return {
        "runs": int(tx.value(runs)),
        "hooks": of_runs(app_hook, app_hook.c.status != str(HookStatus.DISPOSED)),
        "waits": of_runs(app_wait, app_wait.c.status == str(WaitStatus.WAITING)),
        "messages": int(tx.value(queued.where(app_message.c.state == "open"))),
    }


def count_by(tx: Tx, table: str) -> Iterable[Row]:
    """Counts of rows by application and status; ``table`` is "run" or "message"."""
    found, column = {
        "run": (app_run, app_run.c.status),
        "message": (app_message, app_message.c.state),
    }[table]
    grouped = select(found.c.app, column.label("status"), func.count().label("rows"))
    return tx.rows(grouped.where(_ours(tx, found)).group_by(found.c.app, column))


def oldest_due(tx: Tx) -> int | None:
    """The due time of the message that has been due for longest, in milliseconds; None if none is due."""
    found = select(func.min(app_message.c.due_at)).where(_ours(tx, app_message))
    due = tx.value(found.where(app_message.c.state == "open", app_message.c.due_at <= tx.now))
    return None if due is None else int(due)


def _ours(tx: Tx, table: Any) -> Any:
    return table.c.tenant_id == tx.tenant


def _open() -> Any:
    return app_run.c.completed_at.is_(None)
