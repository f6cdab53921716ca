"""The visitor of a page, and the protection of forms against requests of other sites.

1. A session cookie identifies a visitor who logged in with an API key; without a valid one the rule of the
   API for keyless requests from this machine applies (see `app.api.http.keyless`).
2. Every form has a token that only pages for this visitor have, made from a cookie that scripts cannot read.
3. Browsers send the origin of a form; one from another site is refused, whatever its token.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from flask import Response, g, request

from app.api.http.context import world
from app.api.http.keyless import local_user
from app.auth.keys import Principal
from app.domain.errors import Forbidden, Unauthorized
from app.services import sessions

LIFE_S: Final = sessions.LIFE_MS // 1000
DOOR = "console"
FIELD, HEADER = "csrf", "X-CSRF-Token"


def visitor() -> Principal:
    """The visitor of this page; raises `Unauthorized` or `Forbidden`."""
    token = request.cookies.get(cookie("session"))
    who = _logged_in(token) if token else local_user()
    return replace(who, door=DOOR, request_id=g.request_id)


def cookie(name: str) -> str:
    """The name of a cookie; over HTTPS it has the prefix that binds the cookie to this host."""
    return f"__Host-windlass-{name}" if is_secure() else f"windlass-{name}"


def is_secure() -> bool:
    """Whether cookies need HTTPS; on localhost there may be no TLS."""
    settings = world().settings
    return settings.url.startswith("https:") or not settings.loopback_only


def csrf() -> str:
    """The token of this visitor's forms, masked anew each time, since pages are compressed."""
    mask = secrets.token_bytes(32)
    return (mask + _xor(_token(), mask)).hex()


def check_form() -> None:
    """Raise `Forbidden` for a form that is not from a page of this visitor."""
    given = request.form.get(FIELD) or request.headers.get(HEADER, "")
    if not hmac.compare_digest(_unmasked(given), _token()) or not _is_same_origin():
        raise Forbidden("This form is not from this page, or is too old: open the page again.")


def remember(response: Response) -> Response:
    """Give a new visitor the cookie that their forms are checked against."""
    if "new_visit" in g:
        keep(response, "visit", g.new_visit, LIFE_S)
    return response


def keep(response: Response, name: str, value: str, age_s: int) -> None:
    """Set a cookie that no script reads."""
    response.set_cookie(
        cookie(name), value, max_age=age_s, path="/", secure=is_secure(), httponly=True, samesite="Lax"
    )


def forget(response: Response, name: str) -> None:
    """Delete a cookie."""
    keep(response, name, "", 0)


def here() -> str:
    """The page that was asked for, as a parameter of another."""
    return quote(request.full_path.rstrip("?"), safe="/")


def local_only(path: str | None) -> str:
    """The path if it is one of this console, else the first page, so that no redirect leads elsewhere."""
    is_ours = path is not None and path.startswith("/console") and path.isprintable() and "\\" not in path
    return str(path) if is_ours else "/console/"


def _logged_in(token: str) -> Principal:
    """The principal of a session."""
    try:
        return sessions.find(world(), token)[1]
    except Unauthorized:
        # Cookies do not depend on the port: this one may be of another or earlier installation on this
        # machine. In an installation without keys, no visitor could log in again.
        with suppress(Unauthorized, Forbidden):
            return local_user()
        raise


def _token() -> bytes:
    return hashlib.sha256(f"csrf:{_visit()}".encode()).digest()


def _unmasked(given: str) -> bytes:
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return b""
    return _xor(both[:32], both[32:]) if len(both) == 64 else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))


def _visit() -> str:
    known = request.cookies.get(cookie("visit")) or g.get("new_visit")
    if not known:
        known = g.new_visit = secrets.token_urlsafe(32)
    return str(known)


def _is_same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin", "").lower() == f"{request.scheme}://{request.host}".lower()
