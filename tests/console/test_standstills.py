"""Somebody with a key and nothing to read finds what stands still, from the overview, and moves it.

What counts is clicks, since how long one takes says more of the machine than of the page.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app import create_app
from app.config import load
from app.services import keys, workers
from app.services.context import AppContext
from app.wiring import wire
from tests.conftest import Databases
from tests.console.conftest import listening, needs_browser
from tests.console.standstills import POOL, Standstills, plant
from tests.support.driver import Driver

pytestmark = needs_browser
MOST_TO_FIND, MOST_TO_MOVE = 2, 5
Place = tuple[str, str, AppContext, Standstills]  # The console's address, a token, the service, who stands.


@pytest.fixture
def place(tmp_path: Path, databases: Callable[[str], Databases]) -> Iterator[Place]:
    """A service that asks for keys, in which everything stands still; the browser lets the engine go on."""
    url = databases("sqlite").fresh()
    settings = load({}, database_url=url, state_dir=str(tmp_path), redis_url="redis://127.0.0.1:1/0")
    bare = wire(settings)
    driver = Driver(bare.db)
    world = replace(bare, publish=driver.publish)
    standing = plant(world, driver, tmp_path)
    _, token, _ = keys.create(world, "operator", ["admin"])
    with listening(create_app(world)) as url:
        yield url, token, world, standing
    world.db.dispose()


class Person:
    """Clicks on what a page offers, and counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, what: Locator) -> None:
        """Once."""
        self.clicks += 1
        what.click()

    def follow(self, name: str, *, within: str = "main") -> None:
        """A link by its words."""
        self.click(self.page.locator(within).get_by_role("link", name=name).first)

    def reads(self, text: str) -> None:
        """It stands on the page, and a person sees it."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def open(self, row: str) -> None:
        """The run in whose line this name stands."""
        self.click(self._line(row).locator("a.lnk").first)

    def do(self, row: str, verb: str) -> None:
        """The button in a line, and then the one in the dialog."""
        self.click(self._line(row).get_by_role("link", name=verb).first)
        self.confirm(verb.rstrip("…").split()[0])

    def _line(self, name: str) -> Locator:
        return self.page.locator("tr").filter(has=self.page.get_by_role("link", name=name, exact=True)).first

    def confirm(self, button: str) -> None:
        """Say why and send the form of the dialog."""
        dialog = self.page.locator("dialog[open]")
        dialog.get_by_label("Reason").fill("looked at it")
        self.send(button)

    def send(self, button: str) -> None:
        """Send the form of the dialog."""
        self.click(self.page.locator("dialog[open]").get_by_role("button", name=button))
        expect(self.page.locator("dialog[open]")).to_have_count(0)
        self.page.wait_for_load_state()


@pytest.fixture
def person(browser: Browser, place: Place) -> Iterator[Person]:
    """Somebody who has logged in with a key, and looks at the overview."""
    url, token, *_ = place
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(url)
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    yield Person(page)
    context.close()


def test_a_lock_that_is_held(person: Person, place: Place) -> None:
    standing = place[3]
    person.follow("waiting for a lock")
    person.reads("for the lock of m1, held by server.provision")
    assert person.clicks <= MOST_TO_FIND

    person.open("m1")
    person.click(person.page.locator("#answer a"))
    person.reads("An operator has paused it")
    person.follow("Unpause…")
    person.confirm("Unpause")

    assert person.clicks <= MOST_TO_MOVE
    standing.scene.boot.broken.clear()
    assert standing.scene.finish(standing.holder) == "completed"
    assert standing.scene.finish(standing.locked) == "completed"


def test_a_worker_that_is_missing(person: Person, place: Place) -> None:
    _, _, world, standing = place
    person.reads(f"{POOL} would serve it and is drained")

    person.do("queue bmc", f"Resume {POOL}…")

    assert person.clicks <= MOST_TO_MOVE
    assert workers.beat(world.db, POOL, ["bmc"], 2) is False  # It may take work again,
    assert standing.scene.finish(standing.unserved) == "completed"  # and does.
    person.follow("Overview", within="nav")
    expect(person.page.get_by_text("queue bmc")).to_have_count(0)


def test_a_controller_that_refuses(person: Person, place: Place) -> None:
    standing = place[3]
    person.reads("boot-from failed (BMC_REFUSED")

    for machine in standing.scene.bmcs.values():
        machine.faults.discard("refuse")
    person.do("m2", "Resume…")

    assert person.clicks <= MOST_TO_MOVE
    assert standing.scene.finish(standing.refused) == "completed"


def test_an_undo_that_failed_for_good(person: Person, place: Place) -> None:
    standing = place[3]
    person.reads("Undo failed")
    person.reads("the password is wrong")

    for machine in standing.scene.bmcs.values():
        machine.faults.discard("wrongPassword")
    person.do("m3", "Resume…")

    assert person.clicks <= MOST_TO_MOVE
    assert standing.scene.finish(standing.exhausted) == "cancelled"


def test_an_approval_that_is_due(person: Person, place: Place) -> None:
    standing = place[3]
    person.reads("last begins when somebody approves it")

    person.click(person.page.get_by_role("button", name="Approve"))

    person.page.wait_for_load_state()
    expect(person.page.get_by_text("Waits for an approval")).to_have_count(0)
    assert person.clicks <= MOST_TO_MOVE
    standing.rig.driver.capabilities = standing.rig.world
    assert standing.rig.finish(standing.awaits) == "completed"


def test_a_signal_that_a_workflow_waits_for(person: Person, place: Place) -> None:
    standing = place[3]
    person.click(person.page.locator(".now a", has_text="waiting").first)
    person.reads("Waits for the signal manager-approval")
    assert person.clicks <= MOST_TO_FIND

    person.open("expenses")
    person.follow("Send the signal…")
    person.page.locator("dialog[open] textarea").fill('{"approved": true}')
    person.send("Send")

    assert person.clicks <= MOST_TO_MOVE
    standing.scene.driver.drain()
    assert standing.scene.driver.result(standing.asks) == {"amount": 100, "said": {"approved": True}}
