"""Who asks, and whether they may (contracts/runs.rst#keys-and-actors).

Every operation names its scope where it is served; `check` refuses an application in which one does not.
Who is answered without a key is decided in `app.api.http.keyless`.
"""

from dataclasses import replace

from flask import Flask, copy_current_request_context, current_app, g, request

from app.api.http.context import world
from app.api.http.family import PUBLIC
from app.api.http.keyless import local_user
from app.auth.keys import Principal, require
from app.config import SettingsError
from app.domain.errors import Unauthorized
from app.services import keys
from app.services.context import AppContext
from app.services.permit import Permit

LONGEST_HEADER = 256
ASKER = "windlass.asker"  # In the environ of a request that the console makes: who looks at its page.


def authenticate() -> None:
    """Set the principal of the request; raises `Unauthorized` or `Forbidden`."""
    scope = scope_of(request.endpoint)
    if scope is None:
        return
    g.principal = None
    if scope != PUBLIC:
        view = current_app.view_functions[request.endpoint or ""]
        g.principal = getattr(view, "asker", _asker)()
        require(g.principal, scope)


def _asker() -> Principal:
    known: Principal | None = request.environ.get(ASKER)  # No header of a client can become this.
    if known is not None:
        return replace(known, request_id=g.request_id)
    token = _token()
    found = local_user() if token is None else keys.principal_of(world(), token)
    return replace(found, door="api", request_id=g.request_id)


def permit() -> Permit:
    """Whether the answer to this request, a stream, may go on: by the very rules that let it begin."""
    view = current_app.view_functions[request.endpoint or ""]
    ask, scope, asked = getattr(view, "asker", _asker), str(scope_of(request.endpoint)), g.request_id

    @copy_current_request_context
    def check() -> None:
        g.request_id = asked
        require(ask(), scope)

    return Permit(check)


def scope_of(endpoint: str | None) -> str | None:
    """The scope that an endpoint asks for, `PUBLIC`, or None where there is no operation."""
    view = current_app.view_functions.get(endpoint or "")
    return getattr(view, "scope", None)


def check(app: Flask) -> None:
    """Raise `SettingsError` when an operation names no scope: nothing is open by oversight."""
    open_ = sorted(name for name, view in app.view_functions.items() if not hasattr(view, "scope"))
    if open_:
        raise SettingsError(f"These operations name no scope: {', '.join(open_)}")


def refuse_unsafe(world: AppContext) -> None:
    """Raise `SettingsError` when other hosts can reach the API and no key exists."""
    if world.settings.loopback_only or any(row["revoked_at"] is None for row in keys.list_(world)):
        return
    raise SettingsError(
        f"The API would listen on {world.settings.host} without any API key: make one with"
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
