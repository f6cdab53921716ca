"""Calls the API within the process: the same requests and rules as for any client, without a network.

    runs = api_client.get("/v1/workflows/runs", status="failed").data
    api_client.post(f"/v1/workflows/runs/{run}/cancel", {"reason": why}, key=form_key, version=etag)

A refusal of the API is raised as `Refused`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from flask import Flask, current_app
from werkzeug.test import EnvironBuilder

from app.api.apps.application import create_apps
from app.api.http.context import principal, world
from app.api.http.keys import ASKER
from app.auth.keys import Principal, require
from app.domain.errors import Rejected

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API answered."""

    status: int
    data: Any
    pagination: Object = field(default_factory=dict)
    version: str | None = None  # The ETag, for `If-Match`.
    run: str | None = None  # The run that was started.


class Refused(Rejected):
    """A refusal of the API, with its status, code, message and details."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message", "")), **error.get("details", {}))
        self.status = status  # type: ignore[misc]  # Each answer has its own.
        self.code = str(error.get("code", "INTERNAL_ERROR"))  # type: ignore[misc]

    @property
    def fields(self) -> dict[str, str]:
        """The problems by field."""
        return dict(self.details.get("fields") or {})


def get(path: str, /, **query: object) -> Answer:
    """GET a path; a list repeats a query parameter, None leaves it out. Raises `Refused`."""
    return request("GET", path, query=query)


def post(
    path: str,
    /,
    body: object = None,
    *,
    key: str | None = None,
    version: str | None = None,
    query: Mapping[str, object] | None = None,
) -> Answer:
    """POST to a path; ``key`` makes it idempotent, ``version`` is the ETag to match. Raises `Refused`."""
    return request("POST", path, body={} if body is None else body, key=key, version=version, query=query)


def request(
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: object = None,
    key: str | None = None,
    version: str | None = None,
    asker: Principal | None = None,
) -> Answer:
    """One request to the API with the identity of this page's visitor; raises `Refused`."""
    given = {"Idempotency-Key": key, "If-Match": version, "Accept": "application/json"}
    extra: Object = {} if body is None else {"json": body}
    builder = EnvironBuilder(
        path=path,
        method=method,
        query_string={name: value for name, value in (query or {}).items() if value not in (None, "", [])},
        headers=[(name, value) for name, value in given.items() if value],
        **extra,
    )
    environ = {**builder.get_environ(), ASKER: asker or principal()}
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context(), app.request_context(environ):
        response = app.full_dispatch_request()
        text = response.get_data(as_text=True)
    return _answer(response, json.loads(text) if text else {})


def of_apps(
    method: str, path: str, body: object = None, *, asker: Principal | None = None, **query: object
) -> Answer:
    """The answer of the apps API to an administrator; visitors without the scope `admin` are refused.

    That API is made in this process, so its own mode of identification does not matter here.
    """
    require(asker or principal(), "admin")
    asked = {name: value for name, value in query.items() if value not in (None, "")}
    response = _apps_api().test_client().open(path, method=method, json=body, query_string=asked)
    return _answer(response, json.loads(response.get_data(as_text=True) or "{}"))


def _apps_api() -> Flask:
    """The apps API on the context of this application, made once."""
    known: dict[str, Flask] = current_app.extensions.setdefault("windlass.console.apps", {})
    if "apps" not in known:
        here = world()
        # In this mode paths name the application, and every caller is an administrator (checked before).
        known["apps"] = create_apps(replace(here, settings=replace(here.settings, apps_identity="ecs")))
    return known["apps"]


def _answer(response: Any, body: Any) -> Answer:
    if response.status_code >= 400:
        raise Refused(response.status_code, _error(body))
    enveloped = isinstance(body, dict) and "success" in body
    pages = (body.get("pagination") or body.get("meta", {}).get("pagination")) if enveloped else None
    return Answer(
        status=response.status_code,
        data=body["data"] if enveloped else body,
        pagination=pages or {},
        version=response.headers.get("ETag"),
        run=(response.headers.get("Location") or "").rpartition("/")[2] or None,
    )


def _error(body: Any) -> Object:
    """Code, message and details of a refusal, in any of the shapes that the API has."""
    found = body.get("error")
    if isinstance(found, dict):
        return found
    code = {"code": body["code"]} if "code" in body else {}
    return {
        **code,
        "message": body.get("message") or found or body.get("detail", ""),
        "details": body.get("details") or {},
    }


def question(path: str, query: Mapping[str, object], **more: object) -> str:
    """A path with its query, for a page that subscribes to changes of its answer (`app.console.live`)."""
    asked = {name: value for name, value in {**query, **more}.items() if value not in (None, "", [])}
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path
