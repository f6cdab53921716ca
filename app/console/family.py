"""A family of pages: like an operation of the API each names its scope, and is answered by the same rules.

    @pages.page("GET", "/runs", scope="runs:read")
    def runs(): ...

A page that changes something is a POST, and comes from a form that this console has made (see `session`).
"""

import gzip
from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, make_response, redirect, request

from app.api.http.family import PUBLIC
from app.console import session
from app.domain.errors import Forbidden, Unauthorized, WindlassError

View = TypeVar("View", bound=Callable[..., object])
ROOT = "/console"
HTML = ("text/html",)
# Without any referrer, browsers send `Origin: null` with a form, and it would be refused.
REFERRER = "same-origin"
TEXTS = frozenset(
    ("text/html", "text/css", "text/javascript", "image/svg+xml", "application/json", "text/csv")
)
WORTH = 1_000  # Bytes from which on compression pays.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect")),
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
)


class Pages(Blueprint):
    """Pages below ``/console``."""

    def page(
        self, method: str, *paths: str, scope: str, offers: tuple[str, ...] = HTML
    ) -> Callable[[View], View]:
        """Serve a page to visitors with the scope."""

        def declare(view: View) -> View:
            def serve(**named: object) -> Response:
                if method == "POST":
                    session.check_form()
                response = make_response(view(**named))
                response.headers.setdefault("Content-Security-Policy", POLICY)
                response.headers["Referrer-Policy"] = REFERRER
                return compressed(session.remember(response))

            serve.scope, serve.offers, serve.asks_query = scope, offers, True  # type: ignore[attr-defined]
            serve.asker = session.visitor  # type: ignore[attr-defined]
            endpoint = f"{method.lower()}_{view.__module__.rpartition('.')[2]}_{view.__name__}"
            for path in paths:
                self.add_url_rule(path, endpoint, serve, methods=[method])
            return view

        return declare


def compressed(response: Response) -> Response:
    """Compress the response, if the browser accepts gzip and the body is long; streams are unchanged."""
    response.vary.add("Accept-Encoding")
    takes = request.accept_encodings.find("gzip") >= 0
    if (
        not takes
        or response.is_streamed
        or response.mimetype not in TEXTS
        or "Content-Encoding" in response.headers
    ):
        return response
    body = response.get_data()
    if len(body) > WORTH:
        response.set_data(gzip.compress(body, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


pages = Pages("console", __name__, url_prefix=ROOT)


def refused(error: WindlassError) -> Response:
    """The page of a refusal; unidentified visitors are redirected to the login."""
    from app.console.render import (
        render,
    )  # The templates know the pages, which are declared with this module.

    if isinstance(error, Unauthorized) and request.method == "GET":
        return redirect(f"{ROOT}/login?next={session.here()}", 303)  # type: ignore[return-value]
    scope = error.details.get("scope") if isinstance(error, Forbidden) else None
    text = render("refused.html", error=error, scope=scope, code=error.status)
    response = make_response(text, error.status)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = REFERRER
    return session.remember(response)


pages.register_error_handler(WindlassError, refused)
__all__ = ["HTML", "POLICY", "PUBLIC", "ROOT", "Pages", "pages", "refused"]
