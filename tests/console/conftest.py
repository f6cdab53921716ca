"""One service with planted runs, one server and one browser for each file."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from app.config import load
from app.services.context import AppContext
from app.wiring import wire
from tests.console.planted import Planted, plant
from tests.support.databases import SqliteDatabases
from tests.support.servers import needs

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *(
        "--disable-component-update",
        "--disable-sync",
        "--force-color-profile=srgb",
        "--font-render-hinting=none",
    ),
)
needs_browser = needs(Path(CHROMIUM).exists(), "Debian's chromium is not installed")


@dataclass(frozen=True, kw_only=True)
class Site:
    """The service under test."""

    url: str
    app: Flask
    world: AppContext
    planted: Planted


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A keyless service on this machine with one run in each state that calls for somebody."""
    with serving(tmp_path_factory.mktemp("console")) as served:
        yield served


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """The service in this process, with its state in a folder."""
    database = SqliteDatabases(folder).fresh()
    settings = load(
        {}, database_url=database, state_dir=str(folder), redis_url="redis://127.0.0.1:1/0", keyless=True
    )
    world = replace(wire(settings), publish=lambda messages: None)
    planted = plant(world, folder)
    app = create_app(world)
    with listening(app) as url:
        yield Site(url=url, app=app, world=world, planted=planted)
    world.db.dispose()


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """The address of the console, while a server of this process answers there."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@dataclass
class Visit:
    """Opens pages, and notes what goes wrong in them."""

    browser: Browser
    site: Site
    contexts: list[BrowserContext]
    complaints: list[str]

    def page(self, path: str = "/", *, width: int = 1440, theme: Any = "light", **options: Any) -> Page:
        """A fresh tab of a fresh visitor at a path of the console."""
        size: Any = {"width": width, "height": 900}
        context = self.browser.new_context(viewport=size, color_scheme=theme, **options)
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._told)
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        """Another page in the same tab."""
        page.goto(self.site.url + path, wait_until="load")

    def _told(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """A visitor; whatever the browser complains about, a refusal by the policy above all, fails the test."""
    made = Visit(browser, site, [], [])
    yield made
    for context in made.contexts:
        context.close()
    assert made.complaints == []


@pytest.fixture
def client(site: Site) -> FlaskClient:
    """A client on this machine without a browser."""
    made = site.app.test_client()
    made.environ_base["HTTP_HOST"] = "localhost"
    return made
