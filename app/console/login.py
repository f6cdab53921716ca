"""Log in with an API key, log out, choose a theme."""

from flask import Response, current_app, make_response, redirect, request

from app.api.http import rate
from app.api.http.context import world
from app.console import session
from app.console.family import PUBLIC, ROOT, pages
from app.console.render import THEMES, render
from app.domain.errors import RateLimited, Rejected, Unauthorized
from app.services import sessions

YEAR_S = 365 * 86_400


@pages.page("GET", "/login", scope=PUBLIC)
def login() -> str:
    """The form that asks for a key."""
    return _form(None)


@pages.page("POST", "/login", scope=PUBLIC)
def log_in() -> Response:
    """Begin a session with an API key; failures of one address are limited."""
    try:
        token = _entered(request.form.get("key", "").strip())
    except (Unauthorized, RateLimited) as error:
        return make_response(_form(error), error.status)
    response = _to(session.local_only(request.form.get("next")))
    session.keep(response, "session", token, session.LIFE_S)
    return response


@pages.page("POST", "/logout", scope=PUBLIC)
def log_out() -> Response:
    """End the session."""
    token = request.cookies.get(session.cookie("session"))
    if token:
        sessions.end(world(), token)
    response = _to(f"{ROOT}/login")
    session.forget(response, "session")
    return response


@pages.page("POST", "/theme", scope=PUBLIC)
def choose_theme() -> Response:
    """Keep the theme in a cookie, so that the first paint is right."""
    chosen = request.form.get("theme", "")
    response = _to(session.local_only(request.form.get("next")))
    if chosen in THEMES:
        response.set_cookie("windlass-theme", chosen, max_age=YEAR_S, path="/", samesite="Lax", httponly=True)
    return response


def _entered(key: str) -> str:
    """The token of a new session.

    Only failed attempts are counted: behind a proxy all visitors have one address, and those with a key must
    not be locked out by others.
    """
    try:
        return sessions.create(world(), key, request.headers.get("User-Agent", "")[:200])[1]
    except Unauthorized:
        failures: rate.Buckets = current_app.extensions["windlass.login_rate"]
        rate.check(failures, request.remote_addr or "", lambda left: None)
        raise


def _form(error: Rejected | None) -> str:
    to = session.local_only(request.values.get("next"))
    return render("login.html", title="Log in", error=error, to=to)


def _to(path: str) -> Response:
    return redirect(path, 303)  # type: ignore[return-value]
