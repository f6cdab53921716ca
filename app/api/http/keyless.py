"""Who is answered without an API key: a program or a page of this very machine, where that was asked for.

An address tells nothing: behind a reverse proxy everybody comes from 127.0.0.1. So all of this has to hold:

1. ``WINDLASS_KEYLESS`` is set (``windlass up`` does it), the API listens on loopback, no public URL is set.
2. No API key was ever made: whoever makes one wants keys to be asked for.
3. The request bears no trace of a proxy, and names this machine by its own names (DNS rebinding).
4. A browser sends it from this very origin, scheme, host and port, or because its user typed the address.
"""

from urllib.parse import urlsplit

from flask import request

from app.api.http.context import world
from app.auth import proxies
from app.auth.keys import LOCAL, Principal
from app.config import LOOPBACK
from app.domain.errors import Forbidden, Unauthorized
from app.services import keys

OWN_SITES = frozenset({"same-origin", "none"})
NEEDED = "A valid API key is required: make one with `windlass key create`."


def local_user() -> Principal:
    """The local user, who may do everything; raises `Unauthorized` or `Forbidden`, and says why."""
    if not world().settings.serves_keyless:
        raise Unauthorized(NEEDED)
    if proxies.came_through_one(request.headers.keys()):
        raise Unauthorized(f"{NEEDED} This request came through a proxy.")
    if _host_of(f"//{request.host}") not in LOOPBACK:
        raise Forbidden("Without an API key this service answers 127.0.0.1, localhost and [::1] only.")
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"{request.scheme}://{request.host}".lower():
        raise Forbidden("Without an API key this service answers no page of another origin.")
    if request.headers.get("Sec-Fetch-Site", "none").lower() not in OWN_SITES:
        raise Forbidden("Without an API key this service answers no page of another site.")
    if keys.any_made(world()):
        raise Unauthorized(f"{NEEDED} There are keys, so nobody is answered without one.")
    return LOCAL


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
