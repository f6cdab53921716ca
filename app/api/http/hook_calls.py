"""What a call of a hook has to pass before its body is looked at: anybody may send one."""

from flask import current_app, g, request

from app.api.http import rate
from app.api.http.context import world
from app.services import runs as service


def check(token: str) -> None:
    """Raise `RateLimited` when the peer calls too often, or `NotFound` for a token that is nobody's."""
    buckets: rate.Buckets | None = current_app.extensions["windlass.hook_rate"]
    if buckets is not None:
        rate.check(buckets, request.remote_addr or "", _tell)
    service.check_hook(world(), token)


def _tell(left: rate.Left) -> None:
    g.rate_headers = left.headers()
