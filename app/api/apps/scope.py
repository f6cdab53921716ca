"""The application that a request is about: the view reads it here, never from the path."""

from typing import Any, cast

from flask import g

PREFIX = "/api/v1/apps/<app_id>"  # Of every path that is about one application.
IMPLICIT = "default"


def take(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take the application out of the path's values, before the view is called."""
    if values is not None and "app_id" in values:
        values.pop("app_id")
        g.app_id = IMPLICIT  # Without an identity there is one application, whatever the path says.


def app_id() -> str:
    """The application that this request may read and write."""
    return cast(str, g.app_id)
