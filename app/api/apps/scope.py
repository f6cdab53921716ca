"""Who asks, and the application that the request is about: views read it here, never from the path."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from flask import Flask, current_app, g, request

from app.domain.apps.refusal import Refused
from app.domain.errors import Forbidden
from app.services.apps.identity import Caller, Guard, forbidden, unauthorized
from app.services.permit import Permit

V = TypeVar("V", bound=Callable[..., object])
PREFIX = "/api/v1/apps/<app:app_id>"  # Of every path that is about one application.
PUBLIC = frozenset({"ops.status", "ops.ready", "ops.metrics"})  # Probes and scrapers bring no token.


def register(app: Flask) -> None:
    """Know the caller before anything else, also where there is no route."""
    app.url_value_preprocessor(_take)
    app.before_request(_identify)


def app_id() -> str:
    """The application that this request may read and write."""
    return cast(str, g.app_id)


def caller() -> Caller:
    """Whoever makes this request."""
    return cast(Caller, g.caller)


def permit() -> Permit:
    """Whether the answer to this request, a stream, may go on: by the very rules that let it begin."""
    rules, environ, asked = guard(), request.environ, g.asked_app

    def check() -> None:
        try:
            rules.application(rules.caller(environ), asked)
        except Refused as refused:
            raise Forbidden(refused.message) from None

    return Permit(check)


def admin_only(view: V) -> V:
    """Refuse everybody but administrators."""

    @wraps(view)
    def checked(**values: object) -> object:
        if not caller().admin:
            raise forbidden("admin access required")
        return view(**values)

    checked.for_admins = True  # type: ignore[attr-defined]
    return cast(V, checked)


def guard() -> Guard:
    """The guard of the world that this application serves."""
    return guard_of(current_app)


def guard_of(app: Flask) -> Guard:
    """The same, where no request of Flask's is served."""
    serves = app.extensions["windlass"]()
    found: tuple[object, Guard] | None = app.extensions.get("apps.guard")
    if found is None or found[0] is not serves:
        found = serves, Guard(serves)
        app.extensions["apps.guard"] = found
    return found[1]


def _take(_endpoint: str | None, values: dict[str, object] | None) -> None:
    g.asked_app = None if values is None else values.pop("app_id", None)


def _identify() -> None:
    if request.endpoint in PUBLIC:
        return
    g.caller = guard().caller(request.environ)
    if g.asked_app is not None:
        g.app_id = guard().application(g.caller, g.asked_app)
    elif not g.caller.admin and not g.caller.apps and not _is_for_admins():
        raise unauthorized("invalid credentials")


def _is_for_admins() -> bool:
    """Whether the view refuses everybody else by itself, and says why."""
    return hasattr(current_app.view_functions.get(request.endpoint or ""), "for_admins")
