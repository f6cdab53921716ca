"""Requests to the apps API: the one that ``--url`` names, else one made in this process on the database.

The latter answers as the served one does, needs no token, and works when none is served.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from app.cli.context import Caller
from app.cli.direct import world
from app.domain import errors

KINDS: dict[int, type[errors.WindlassError]] = {
    400: errors.ValidationFailed,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.RateLimited,
    503: errors.Unavailable,
}


def of_app(caller: Caller, app_id: str, method: str, path: str, body: object = None) -> Any:
    """The answer to a request about one application."""
    return ask(caller, method, f"/api/v1/apps/{quote(app_id, safe='@/')}{path}", body)


def ask(caller: Caller, method: str, path: str, body: object = None) -> Any:
    """The answer to a request; a refusal raises the error of its status."""
    send = _to_url if caller.url_is_typed else _in_process
    status, text = send(caller, method, path, body)
    answered = _json(text)
    if answered is None:
        raise errors.Unavailable(f"There is no apps API at {caller.url}: its usual port is 3042")
    if status >= 400:
        said = answered.get("message", answered.get("error", ""))
        raise KINDS.get(status, errors.WindlassError)(str(said))
    return answered


def _in_process(_caller: Caller, method: str, path: str, body: object) -> tuple[int, bytes]:
    from app.api.apps.application import create_apps

    there = world()
    # In the mode "ecs" every caller is an administrator and names applications by their paths: whoever runs
    # this command may read the database anyway.
    api = create_apps(replace(there, settings=replace(there.settings, apps_identity="ecs")))
    reply = api.test_client().open(path, method=method, json=body)
    return reply.status_code, reply.get_data()


def _to_url(caller: Caller, method: str, path: str, body: object) -> tuple[int, bytes]:
    base = (caller.url or "").rstrip("/")
    headers = {"Authorization": f"Bearer {caller.api_key}"} if caller.api_key else {}
    try:
        reply = httpx.request(method, f"{base}{path}", json=body, headers=headers, timeout=caller.timeout)
    except httpx.InvalidURL as error:
        raise errors.ValidationFailed.of("url", f"{base} is no URL: {error}") from error
    except httpx.UnsupportedProtocol as error:
        raise errors.ValidationFailed.of("url", f"{base} must begin with http:// or https://") from error
    except httpx.HTTPError as error:
        raise errors.Unavailable(f"No apps API answers at {base}: {error}") from error
    return reply.status_code, reply.content


def _json(text: bytes) -> dict[str, object] | None:
    """The answer; None when the apps API did not give it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    # The API's own refusals are problems of another shape.
    return found if isinstance(found, dict) and "type" not in found else None
