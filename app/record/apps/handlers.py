"""Handlers: the URLs at which the processes of an application's version accept messages."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, select, tuple_

from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_handler, app_version

Row = dict[str, Any]
Version = tuple[str, str]  # Application and version.
EXPIRED = "expired"


def register(
    tx: Tx, scope: Scope, pod: str, version: str, urls: dict[str, str | None], *, alone: bool
) -> bool:
    """Add a handler or change its URLs; False when another one serves the whole version already.

    ``alone``: this handler serves the whole version, and all others of the version are removed.
    """
    of_version = and_(scope.owns(app_handler), app_handler.c.version == version)
    others = and_(of_version, app_handler.c.pod != pod)
    if alone:
        tx.execute(app_handler.delete().where(others))
    # One address serves all processes: with a second one, messages would be divided between the two.
    elif tx.row(select(app_handler.c.pod).where(of_version, app_handler.c.service_scoped).limit(1)):
        return False
    facts = {
        "version": version,
        "workflow_url": urls.get("workflow"),
        "step_url": urls.get("step"),
        "webhook_url": urls.get("webhook"),
        "service_scoped": alone,
        "seen_at": tx.now,
    }
    made = tx.insert(app_handler).values(**scope.key, pod=pod, registered_at=tx.now, **facts)
    tx.execute(made.on_conflict_do_update(index_elements=["tenant_id", "app", "pod"], set_=facts))
    return True


def remove(tx: Tx, scope: Scope, *, pod: str | None = None, version: str | None = None) -> int:
    """Remove one handler, or all of a version."""
    which = app_handler.c.pod == pod if pod is not None else app_handler.c.version == version
    return tx.execute(app_handler.delete().where(scope.owns(app_handler), which)).rowcount


def listed(tx: Tx, scope: Scope) -> list[Row]:
    """The handlers of an application."""
    found = select(app_handler).where(scope.owns(app_handler))
    return tx.rows(found.order_by(app_handler.c.version, app_handler.c.pod))


def routes(tx: Tx, versions: Collection[Version]) -> dict[Version, list[Row]]:
    """The handlers of these versions; none for a version that has expired."""
    here = and_(
        app_version.c.tenant_id == app_handler.c.tenant_id,
        app_version.c.app == app_handler.c.app,
        app_version.c.version == app_handler.c.version,
        app_version.c.status == EXPIRED,
    )
    found = select(app_handler).where(app_handler.c.tenant_id == tx.tenant)
    found = found.where(tuple_(app_handler.c.app, app_handler.c.version).in_(sorted(versions)))
    # A handler may register again after its version has expired; it gets no messages.
    found = found.where(~select(app_version.c.app).where(here).correlate(app_handler).exists())
    made: dict[Version, list[Row]] = {}
    for row in tx.rows(found):
        made.setdefault((row["app"], row["version"]), []).append(row)
    return made
