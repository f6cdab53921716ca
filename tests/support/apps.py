"""The apps API over a real socket: the server that serves it in production, inside of this process."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from typing import Any

import pytest
from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from app.api.apps.application import create_apps
from app.api.apps.errors import of_server
from app.api.http.context import LazyWorld
from app.config import load
from app.domain.apps.words import LARGEST_BODY
from app.services.context import AppContext
from app.serving.bridge import Bridge
from app.serving.limits import holding
from app.wiring import wire
from tests.support.ports import free_port
from tests.support.servers import until

HOST = "127.0.0.1"
THREADS = 16
PATIENCE_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value of a JSON body."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class AppsApi:
    """The apps API on a port, and the world behind it."""

    world: AppContext
    port: int
    published: list[Any]  # What was handed over to be published.
    flask: Flask
    app: str = "default"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.port}"

    def known_by(self, **settings: Any) -> "AppsApi":
        """The same API under other settings of identity, from now on."""
        world = replace(self.world, settings=replace(self.world.settings, **settings))
        self.flask.extensions["windlass"] = LazyWorld(lambda: world)
        return replace(self, world=world)

    def of(self, app: str, token: str | None = None) -> "AppsApi":
        """The same API, asked about an application by a client with a token."""
        return replace(self, app=app, headers={"authorization": f"Bearer {token}"} if token else {})

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a path of the application, with a JSON body; underscores of headers are dashes."""
        return self.send(method, f"/api/v1/apps/{self.app}{path}", body, **headers)

    def get(self, path: str) -> Reply:
        """Read something of the application."""
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None) -> Reply:
        """Post to the application."""
        return self.ask("POST", path, body)

    def event(self, run_id: str, kind: str, query: str = "", **more: Any) -> Reply:
        """Post an event to a run."""
        return self.post(f"/runs/{run_id}/events{query}", {"eventType": kind, **more})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a full path; bytes are sent as they are, anything else as JSON."""
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE_S)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        try:
            connection.request(method, path, body, sent)
            answered = connection.getresponse()
            heads = {name.lower(): value for name, value in answered.getheaders()}
            return Reply(status=answered.status, headers=heads, body=answered.read())
        finally:
            connection.close()


@pytest.fixture(scope="session")
def apps_server() -> Iterator[tuple[Flask, int]]:
    """The Flask application and the port it is served on; each test gives it a world of its own."""
    app, port = create_apps(), free_port()
    bridge = Bridge(lambda: app, THREADS, holding(LARGEST_BODY), refusals=of_server)
    bridge.begin()
    loop, made = asyncio.new_event_loop(), []

    def serve() -> None:
        asyncio.set_event_loop(loop)
        server = Server(
            bridge,
            address=HOST,
            port=port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
        )
        made.append(server)
        loop.run_until_complete(server.serve())

    thread = threading.Thread(target=serve, name="apps-api", daemon=True)
    thread.start()
    until(lambda: _answers(port), PATIENCE_S, "the apps API answers")
    yield app, port
    loop.call_soon_threadsafe(made[0].stop)
    thread.join(PATIENCE_S)


@pytest.fixture
def apps_api(apps_server: tuple[Flask, int], backend: Any, state: Any) -> Iterator[AppsApi]:
    """The apps API on a fresh database of each kind; what would be published is only noted."""
    app, port = apps_server
    settings = load({}, database_url=backend.database_url, redis_url=backend.redis_url, state_dir=str(state))
    published: list[Any] = []
    world = replace(wire(settings), publish=published.extend)
    app.extensions["windlass"] = LazyWorld(lambda: world)
    yield AppsApi(world=world, port=port, published=published, flask=app)
    world.db.dispose()


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
