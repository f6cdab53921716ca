"""Windlass, the service; `create_app` is what a WSGI server asks for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.services.context import AppContext


def create_app(world: "AppContext | None" = None) -> "Flask":
    """The API as a WSGI application; without a world it is wired from the environment, when first needed.

    Raises `SettingsError` where the environment would let others reach it and there is no API key.
    """
    # Late, so that a worker or a command that imports this package does not load the API.
    from app.api.application import build, guarded

    return guarded() if world is None else build(world)
