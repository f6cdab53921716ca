"""Requests to a door of apps: the one that ``--url`` names, else one made in this process on the database.

The latter gives the very answers that an app gets, whoever else may reach a door, and needs no token.
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
    """What the door answers about an application."""
    return ask(caller, method, f"/api/v1/apps/{quote(app_id, safe='@/')}{path}", body)


def ask(caller: Caller, method: str, path: str, body: object = None) -> Any:
    """What the door answers; raises what stands for its refusal."""
    asked = _from_afar if caller.url_is_typed else _here
    status, text = asked(caller, method, path, body)
    answered = _json(text)
    if answered is None:
        raise errors.Unavailable(f"What answers at {caller.url} is no door of apps: its port is 3042")
    if status >= 400:
        said = answered.get("message", answered.get("error", ""))
        raise KINDS.get(status, errors.WindlassError)(str(said))
    return answered


def _here(_caller: Caller, method: str, path: str, body: object) -> tuple[int, bytes]:
    from app.api.apps.application import create_apps

    there = world()
    # Whoever may read the database administers, and names applications by their paths.
    door = create_apps(replace(there, settings=replace(there.settings, apps_identity="ecs")))
    reply = door.test_client().open(path, method=method, json=body)
    return reply.status_code, reply.get_data()


def _from_afar(caller: Caller, method: str, path: str, body: object) -> tuple[int, bytes]:
    base = (caller.url or "").rstrip("/")
    headers = {"Authorization": f"Bearer {caller.api_key}"} if caller.api_key else {}
    try:
        reply = httpx.request(method, f"{base}{path}", json=body, headers=headers, timeout=caller.timeout)
    except httpx.InvalidURL as error:
        raise errors.ValidationFailed.of("url", f"{base} is no URL: {error}") from error
    except httpx.UnsupportedProtocol as error:
        raise errors.ValidationFailed.of("url", f"{base} must begin with http:// or https://") from error
    except httpx.HTTPError as error:
        raise errors.Unavailable(f"No door of apps answers at {base}: {error}") from error
    return reply.status_code, reply.content


def _json(text: bytes) -> dict[str, object] | None:
    """The answer; None when no door gave it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    # The API's own refusals are problems of another shape.
    return found if isinstance(found, dict) and "type" not in found else None
