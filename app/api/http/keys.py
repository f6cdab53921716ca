"""Who asks, and whether they may (contract 1, "Keys and actors").

Every operation names its scope where it is served; `check` refuses an application in which one does not.
Without keys the service listens on loopback only and answers that machine's own names, so that no page in a
browser can talk to it by another name (DNS rebinding) or on its owner's behalf (a foreign Origin).
"""

from urllib.parse import urlsplit

from flask import Flask, current_app, g, request

from app.api.http.context import world
from app.api.http.family import PUBLIC
from app.auth.keys import LOCAL, require
from app.config import SettingsError
from app.domain.errors import Forbidden, Unauthorized
from app.services import keys
from app.services.context import AppContext

OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST_HEADER = 256


def authenticate() -> None:
    """Set the principal of the request; raises `Unauthorized` or `Forbidden`."""
    scope = scope_of(request.endpoint)
    if scope is None:
        return
    token = _token()
    if scope == PUBLIC:
        local = token is None and world().settings.loopback_only and _own_host()
        g.principal = LOCAL if local else None
        return
    if token is None and world().settings.loopback_only:
        _check_own_host()
    g.principal = keys.principal_of(world(), token)
    require(g.principal, scope)


def scope_of(endpoint: str | None) -> str | None:
    """The scope that an endpoint asks for, `PUBLIC`, or None where there is no operation."""
    view = current_app.view_functions.get(endpoint or "")
    return getattr(view, "scope", None)


def check(app: Flask) -> None:
    """Raise `SettingsError` when an operation names no scope: nothing is open by oversight."""
    open_ = sorted(name for name, view in app.view_functions.items() if not hasattr(view, "scope"))
    if open_:
        raise SettingsError(f"these operations name no scope: {', '.join(open_)}")


def refuse_unsafe(world: AppContext) -> None:
    """Raise `SettingsError` when others could reach the API and there is no key (issue 2, section 3)."""
    if world.settings.loopback_only or any(row["revoked_at"] is None for row in keys.list_(world)):
        return
    raise SettingsError(
        f"the API would listen on {world.settings.host} without any API key: make one with"
        " `windlass key create`, or listen on 127.0.0.1"
    )


def _token() -> str | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or len(header) > LONGEST_HEADER:
        raise Unauthorized
    return token.strip()


def _check_own_host() -> None:
    if not _own_host():
        raise Forbidden("Without an API key this service answers 127.0.0.1, localhost and [::1] only.")
    origin = request.headers.get("Origin")
    if origin is not None and _host_of(origin) not in OWN_HOSTS:
        raise Forbidden("Without an API key this service answers no page of another origin.")


def _own_host() -> bool:
    return _host_of(f"//{request.host}") in OWN_HOSTS


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
