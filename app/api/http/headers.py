"""What every request is checked for and every response carries, whichever operation it is."""

import time
from typing import Any

import structlog
from flask import Response, current_app, g, request

from app.api.http import envelope
from app.api.http.bodies import NOT_TEXT, storable
from app.api.http.context import world
from app.api.http.family import PATH_IDS, spoken
from app.domain.errors import NotAcceptable, ValidationFailed
from app.domain.ids import well_formed
from app.services import naming

SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOT_AN_ID = {"run": "Not the id of a run: 1 to 128 letters, digits, _ and -"}
_access = structlog.get_logger("api.access")


def begin() -> None:
    """Start the clock of the request and give it its id."""
    g.began = time.monotonic()
    envelope.begin()


def check() -> None:
    """Raise for a malformed id, an unknown query parameter, or an answer in a form that nobody offers.

    A name in the place of an id becomes the id here, once, whichever operation it is.
    """
    view: Any = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return
    _check_texts()
    named, rule = request.view_args or {}, str(request.url_rule)
    for name, text in list(named.items()):
        prefix = PATH_IDS.get(name)
        if prefix is None or well_formed(text, prefix):
            continue
        if not naming.is_nameable(prefix):
            raise ValidationFailed.of(
                spoken(name, rule), NOT_AN_ID.get(prefix, f"Not an id of the form {prefix}_…")
            )
        if len(text) > naming.LONGEST:
            raise ValidationFailed.of(spoken(name, rule), f"Has more than {naming.LONGEST} characters")
        named[name] = naming.id_of(world(), prefix, text)
    if request.args and not view.asks_query:
        raise ValidationFailed.many({name[:64]: "Unknown query parameter." for name in request.args})
    offers = view.offers
    if request.accept_mimetypes and request.accept_mimetypes.best_match(offers) is None:
        raise NotAcceptable(f"The answer is available as {', '.join(offers)}.", available=list(offers))


def _check_texts() -> None:
    """What no database stores is found by none either: it is refused in paths and queries as in bodies."""
    rule = str(request.url_rule)
    parts = [(spoken(name, rule), text) for name, text in (request.view_args or {}).items()]
    for name, text in [*parts, *request.args.items(multi=True)]:
        if not storable(name):
            raise ValidationFailed.of("query", f"A name holds {NOT_TEXT}")
        if isinstance(text, str) and not storable(text):
            raise ValidationFailed.of(name[:64], f"Holds {NOT_TEXT}")


def finish(response: Response) -> Response:
    """Add the id and the security headers, and log the request without its body or its key."""
    response.headers.extend(g.get("rate_headers", {}))
    response.headers["X-Request-Id"] = g.request_id
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    rule = request.url_rule.rule if request.url_rule else None
    principal = g.get("principal")
    _access.info(
        "request",
        requestId=g.request_id,
        method=request.method,
        route=rule,
        status=response.status_code,
        ms=round((time.monotonic() - g.began) * 1000, 1),
        actor=principal.actor if principal else None,
    )
    return response
