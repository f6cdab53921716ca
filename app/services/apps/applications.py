"""Applications: their creation, bindings, quotas and versions."""

import re
from collections.abc import Mapping
from typing import Any

from app.domain.apps.decide import stamp
from app.domain.apps.envelope import LONGEST_KEY
from app.domain.apps.incoming import incoming, searchable, storable
from app.domain.apps.refusal import Refused, bad
from app.domain.apps.words import AppEventType
from app.record.apps import applications, handlers, messages
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.services import keys
from app.services.apps import admission, write
from app.services.context import AppContext

Row = dict[str, Any]
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"  # HTTP clients remove "." and ".." from paths.
APP = re.compile(rf"(?:@[A-Za-z0-9._~-]+/)?{_SEGMENT}")
LONGEST_APP = 214  # Of npm's package names, which the DevKit's client sends by default.
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
STATUSES = ("active", "draining", "expired")
QUOTAS = {"maxRuns": "max_runs", "maxEventsPerRun": "max_events", "maxQueuePerMinute": "max_queue"}
HANDLER = {
    "podId": "pod",
    "deploymentVersion": "version",
    "workflow": "workflow_url",
    "step": "step_url",
    "webhook": "webhook_url",
    "serviceScoped": "service_scoped",
}
MOST = 2**31 - 1
BATCH = 100  # Runs that are cancelled in one transaction.
KEYS = "@key"  # The namespace of API keys; no namespace of Kubernetes is called so.


def not_found(app: str) -> Refused:
    """The refusal for an application that does not exist."""
    return Refused(404, f"Application {app} not found", code="WF_APP_NOT_FOUND")


def known(world: AppContext) -> frozenset[str]:
    """The ids of all applications; a cached answer, a few seconds old at most."""
    return world.db.remembered("apps.known", applications.names, for_s=admission.FRESH_S)


def listed(world: AppContext) -> list[str]:
    """The ids of all applications, read now."""
    return sorted(world.db.read(applications.names))


def create(world: AppContext, app: object) -> bool:
    """Create an application; False when it exists. Refuses an id that cannot stand in a path."""
    if not app:
        raise bad("appId is required")
    if not isinstance(app, str) or len(app) > LONGEST_APP or not APP.fullmatch(app):
        raise bad(
            f"appId must be at most {LONGEST_APP} characters of A-Z, a-z, 0-9, '.', '_', '~' and '-';"
            " '@scope/' may come before them"
        )
    made = world.db.write(lambda tx: applications.insert(tx, app))
    world.db.forget("apps.known")
    return made


def show(world: AppContext, app: str) -> Row:
    """One application with its quotas, accounts and versions."""

    def work(tx: Tx) -> Row:
        row = applications.one(tx, app)
        if row is None:
            raise not_found(app)
        return {
            "appId": app,
            "createdAt": row["created_at"],
            "quotas": _shown(row),
            "encrypted": row["secret"] is not None,
            "bindings": [_bound(each) for each in applications.bindings_of(tx, app)],
            "versions": applications.versions(tx, Scope.of(tx, app)),
        }

    return world.db.read(work)


def described(world: AppContext, app: str) -> Row:
    """One application as the apps API shows it: quotas, accounts, versions and handlers."""
    shown = show(world, app)
    found = world.db.read(lambda tx: handlers.listed(tx, Scope.of(tx, app)))
    return {
        **shown,
        "createdAt": stamp(shown["createdAt"]),
        "versions": [{"version": one["version"], "status": one["status"]} for one in shown["versions"]],
        "handlers": [{name: row[column] for name, column in HANDLER.items()} for row in found],
    }


def bind(world: AppContext, app: str, namespace: object, account: object, *, undo: bool = False) -> bool:
    """Bind a service account to an application, or with ``undo`` remove the binding; whether it existed."""
    if not namespace or not account:
        raise bad("namespace and serviceAccount are required")
    if not isinstance(namespace, str) or not LABEL.fullmatch(namespace):
        raise bad("namespace must be the name of a Kubernetes namespace")
    if not isinstance(account, str) or not ACCOUNT.fullmatch(account):
        raise bad("serviceAccount must be the name of a Kubernetes service account")
    return _bind(world, app, (namespace, account), undo=undo)


def bind_key(world: AppContext, app: str, key: str, *, undo: bool = False) -> bool:
    """Bind an API key, by its name, to an application, or remove the binding; whether it existed."""
    searchable("key", key)
    if not undo and key not in {row["name"] for row in keys.list_(world)}:
        raise bad(f"there is no API key called {key}: make it with `windlass key create {key} --scope apps`")
    return _bind(world, app, (KEYS, key), undo=undo)


def _bind(world: AppContext, app: str, who: applications.Binding, *, undo: bool) -> bool:
    if not storable(app):
        raise not_found(app)

    def work(tx: Tx) -> bool:
        if applications.one(tx, app) is None:
            raise not_found(app)
        if undo:
            return applications.unbind(tx, app, who)
        applications.bind(tx, app, who)
        return True

    done = world.db.write(work)
    world.db.forget("apps.bindings")
    return done


def quotas(world: AppContext, app: str) -> Row:
    """The quotas of an application."""
    return world.db.read(lambda tx: _shown(applications.one(tx, app)))


def set_quotas(world: AppContext, app: str, wanted: Mapping[str, object]) -> Row:
    """Set quotas; those that are not named return to their defaults."""
    given = {name: wanted[name] for name in QUOTAS if wanted.get(name) is not None}
    if not given:
        raise bad(f"at least one quota field is required: {', '.join(QUOTAS)}")
    for name, value in given.items():
        if type(value) is not int or not 0 <= value <= MOST:
            raise bad(f"{name} must be a whole number from 0 to {MOST}")
    columns = {column: given.get(name) for name, column in QUOTAS.items()}

    def work(tx: Tx) -> Row:
        if not applications.change(tx, app, columns):
            raise not_found(app)
        shown = _shown(applications.one(tx, app))
        return {name: shown[name] for name in QUOTAS}

    shown = world.db.write(work)
    admission.forget(world.db, app)
    return shown


def notify(world: AppContext, app: object, version: object, status: object) -> None:
    """Store the status of a version of an application."""
    if not app or not version or not status:
        raise bad("applicationId, deploymentVersion, and status are required")
    if not isinstance(version, str) or not isinstance(app, str):
        raise bad("applicationId and deploymentVersion must be strings")
    searchable("applicationId", app)
    searchable("deploymentVersion", version, longest=LONGEST_KEY)
    if status not in STATUSES:
        raise bad(f"status must be one of {', '.join(STATUSES)}")
    stands = str(status)

    def work(tx: Tx) -> None:
        if applications.one(tx, app) is None:
            raise bad(f"application {app} not found")
        applications.announce(tx, Scope.of(tx, app), version, stands)

    world.db.write(work)


def in_use(world: AppContext, app: str, version: str) -> Row:
    """How many runs, hooks, waits and messages of a version are still open."""
    searchable("deploymentId", version)
    found = world.db.read(lambda tx: applications.in_use(tx, Scope.of(tx, app), version))
    return {
        "activeRuns": found["runs"],
        "pendingHooks": found["hooks"],
        "pendingWaits": found["waits"],
        "queuedMessages": found["messages"],
    }


def expire(world: AppContext, app: str, version: str) -> Row:
    """Expire a version: remove its handlers and messages, then cancel its runs, `BATCH` in a transaction."""
    searchable("deploymentId", version)

    def work(tx: Tx) -> int:
        # Handlers and messages first: nothing must be delivered to a run that is about to be cancelled.
        applications.retire(tx, Scope.of(tx, app), version)
        return messages.kill(tx, Scope.of(tx, app), version=version)

    dead = world.db.write(work)
    cancelled, found = 0, BATCH
    while found == BATCH:
        # In batches: one transaction for ten thousand runs would lock all of them until it ends.
        found, ended = world.db.write(lambda tx: _cancel_some(tx, Scope.of(tx, app), version))
        cancelled += ended
    return {"cancelledRuns": cancelled, "deadLetteredMessages": dead}


def _cancel_some(tx: Tx, scope: Scope, version: str) -> tuple[int, int]:
    """How many runs were open, and how many of them this call has cancelled; the others ended meanwhile."""
    runs = applications.open_runs_of(tx, scope, version, BATCH)
    cancel = {"eventType": str(AppEventType.RUN_CANCELLED)}
    done = [write.write_in(tx, scope, incoming(run_id, cancel)) for run_id in runs]
    return len(runs), sum(one.event is not None for one in done)


def _shown(row: Row | None) -> Row:
    given = row or {}
    shown: Row = {name: admission.in_force(row)[column] for name, column in QUOTAS.items()}
    return {**shown, "isDefault": all(given.get(column) is None for column in QUOTAS.values())}


def _bound(row: Row) -> Row:
    return {"namespace": row["namespace"], "serviceAccount": row["account"]}
