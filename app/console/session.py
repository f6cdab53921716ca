"""Who looks at a page, and whether a form is one of ours.

1. A session cookie names whoever logged in with an API key; without one that is good the API's own rule about
   keyless requests of this machine holds (see `app.api.http.keyless`).
2. Every form carries a token that only pages of this visitor know, made from a cookie that no script reads.
3. A browser says where a form comes from; one of another site is refused whatever its token.
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
    """Whoever asks for this page; raises `Unauthorized` or `Forbidden`."""
    token = request.cookies.get(cookie("session"))
    who = _logged_in(token) if token else local_user()
    return replace(who, door=DOOR, request_id=g.request_id)


def cookie(name: str) -> str:
    """What a cookie of ours is called: where the way is encrypted its name binds it to this host."""
    return f"__Host-windlass-{name}" if is_secure() else f"windlass-{name}"


def is_secure() -> bool:
    """Whether cookies may travel encrypted only; on this very machine there may be no TLS."""
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
    """A path of this console, or its first page: nobody is sent elsewhere."""
    is_ours = path is not None and path.startswith("/console") and path.isprintable() and "\\" not in path
    return str(path) if is_ours else "/console/"


def _logged_in(token: str) -> Principal:
    """Who this session belongs to."""
    try:
        return sessions.find(world(), token)[1]
    except Unauthorized:
        # Cookies know no ports: it may be of another installation on this machine, or of one before. Where
        # nobody needs a key nobody has one to log in with.
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
