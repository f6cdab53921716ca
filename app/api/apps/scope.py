"""The caller of a request and the application it is about; views read both here, never from the path."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from flask import Flask, current_app, g, request

from app.domain.apps.refusal import Refused
from app.domain.errors import Forbidden
from app.services.apps.identity import Caller, Guard, forbidden, unauthorized
from app.services.permit import Permit

V = TypeVar("V", bound=Callable[..., object])
PREFIX = "/api/v1/apps/<app:app_id>"  # All paths for one application begin so.
PUBLIC = frozenset({"ops.status", "ops.ready", "ops.metrics"})  # Probes and scrapers send no token.


def register(app: Flask) -> None:
    """Identify the caller before anything else, also of a request without a route."""
    app.url_value_preprocessor(_take)
    app.before_request(_identify)


def app_id() -> str:
    """The application that this request may read and write."""
    return cast(str, g.app_id)


def caller() -> Caller:
    """The caller of this request."""
    return cast(Caller, g.caller)


def permit() -> Permit:
    """The permit of a stream: it repeats the checks of the request that began it, as long as it runs."""
    rules, environ, asked = guard(), request.environ, g.asked_app

    def check() -> None:
        try:
            rules.application(rules.caller(environ), asked)
        except Refused as refused:
            raise Forbidden(refused.message) from None

    return Permit(check)


def admin_only(view: V) -> V:
    """Declare a view for administrators; others get 403."""

    @wraps(view)
    def checked(**values: object) -> object:
        if not caller().admin:
            raise forbidden("admin access required")
        return view(**values)

    checked.for_admins = True  # type: ignore[attr-defined]
    return cast(V, checked)


def guard() -> Guard:
    """The guard of this Flask application."""
    return guard_of(current_app)


def guard_of(app: Flask) -> Guard:
    """The same for a given Flask application, outside of its requests."""
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
    """Whether the view is declared with `admin_only`, and so refuses others itself."""
    return hasattr(current_app.view_functions.get(request.endpoint or ""), "for_admins")
