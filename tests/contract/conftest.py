"""The API on a fresh SQLite database, in this process; what would be published is only noted."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.http.context import LazyWorld
from app.api.http.rate import Buckets
from app.api.http.stream import Places
from app.config import load
from app.services.context import AppContext
from app.wiring import wire


@pytest.fixture
def published() -> list[Any]:
    """What was handed over to be published."""
    return []


@pytest.fixture
def world(sqlite_url: str, state: Path, published: list[Any]) -> Iterator[AppContext]:
    """A world that publishes nothing."""
    settings = load(
        {}, database_url=sqlite_url, state_dir=str(state), redis_url="redis://127.0.0.1:1/0", keyless=True
    )
    made = replace(wire(settings), publish=published.extend)
    yield made
    made.db.dispose()


@cache
def application(_who: str) -> Flask:
    """An application for all tests: putting one together takes longer than most tests do."""
    return create_app(wire(load({})))


def serving(world: AppContext, who: str) -> Flask:
    """That application, serving this world; ``who`` tells apart those that serve at the same time."""
    app = application(who)
    app.extensions["windlass"] = LazyWorld(lambda: world)
    app.extensions["windlass.places"] = Places(world.settings.api_threads)
    app.extensions["windlass.hook_rate"] = Buckets(world.settings.hook_rate)
    return app


@pytest.fixture
def app(world: AppContext) -> Flask:
    """The application."""
    return serving(world, "local")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client on this machine, without a key."""
    made = app.test_client()
    made.environ_base["HTTP_HOST"] = "localhost"
    return made


@pytest.fixture
def guarded(world: AppContext) -> FlaskClient:
    """A client of the same service when it listens to the world: keys are required."""
    made = serving(replace(world, settings=replace(world.settings, host="0.0.0.0")), "guarded").test_client()
    made.environ_base["HTTP_HOST"] = "windlass.example"
    return made
