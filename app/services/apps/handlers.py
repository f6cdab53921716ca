"""Registration of handlers: the URLs at which an application's processes accept messages."""

from collections.abc import Mapping

from app.config import Settings, SettingsError
from app.domain.apps.envelope import LONGEST_KEY, stored_text
from app.domain.apps.incoming import searchable
from app.domain.apps.refusal import bad
from app.domain.errors import ValidationFailed
from app.record.apps import handlers
from app.record.apps.scope import Scope
from app.record.session import Database
from app.webhooks import handler
from app.webhooks.handler import Reach

ENDPOINTS = ("workflow", "step", "webhook")


def reach(settings: Settings) -> Reach:
    """The addresses that the settings allow for handlers."""
    try:
        networks = handler.networks(settings.apps_handler_networks)
    except ValueError as error:
        raise SettingsError(f"WINDLASS_APPS_HANDLER_NETWORKS: {error}") from None
    return Reach(networks=networks, loopback=settings.apps_mode != "kubernetes")


def register(db: Database, app: str, body: Mapping[str, object], allowed: Reach) -> None:
    """Add a handler or change its URLs; raises `Refused` for a URL that could never be called."""
    pod, version, endpoints = _pod(body), body.get("deploymentVersion"), body.get("endpoints")
    if not pod or not version or not isinstance(endpoints, Mapping):
        raise bad("podId (or machineId), deploymentVersion, and endpoints are required")
    pod = stored_text(pod, "podId", LONGEST_KEY)
    version = stored_text(version, "deploymentVersion", LONGEST_KEY)
    urls = {name: _url(endpoints.get(name), name, allowed) for name in ENDPOINTS}
    alone = body.get("serviceScoped") is True
    db.write(lambda tx: handlers.register(tx, Scope.of(tx, app), pod, version, urls, alone=alone))


def deregister(db: Database, app: str, pod: str) -> None:
    """Remove a handler, if it exists; raises `Refused` for an invalid name."""
    searchable("podId", pod)
    db.write(lambda tx: handlers.remove(tx, Scope.of(tx, app), pod=pod))


def _pod(body: Mapping[str, object]) -> object:
    return body.get("podId") or body.get("machineId")


def _url(given: object, name: str, allowed: Reach) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str):
        raise bad(f"endpoints.{name} must be a URL")
    try:
        handler.split(given, allowed)
    except ValidationFailed as error:
        raise bad(f"endpoints.{name}: {error.message.removeprefix('url: ')}") from None
    return given
