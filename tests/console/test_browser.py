"""Pages in Debian's Chromium: with a mouse, with keys alone, without scripts and without sight."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from app.record.inventory import servers
from tests.console.conftest import Site, Visit, needs_browser
from tests.console.planted_others import APP, FACTS, RUN, STEP_FACTS, tell
from tests.console.test_pages import ONE as IN_PLACE
from tests.console.test_pages import OPENED, PAGES

pytestmark = needs_browser
AXE = (Path(__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What depends on theme and width; everything else is judged once a page.
LOOKS = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
FIRST, *OTHERS = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"))
MOST_KEYS = 12
MOST_NODES = 1_500
FIRST_VISIT, NEXT_PAGE = 150_000, 10_000  # Bytes on the wire.
REFERENCE = tuple(f"/../docs{path}" for path in ("", "/operations/startRun", "/shapes", "/problems"))
ONE = (
    "/runs/{held}",
    "/runs/{held}/retry",
    "/runs/{undone}?view=events",
    "/servers/{server}",
    "/start/server.provision",
)


@pytest.fixture
def paths(site: Site) -> list[str]:
    """Every kind of page once."""
    named = {**vars(site.planted), "server": site.planted.servers[0]}
    return list(dict.fromkeys(path.format(**named) for path in (*PAGES, *OPENED, *IN_PLACE, *ONE)))


def _rename(site: Site, place: int, name: str) -> None:
    server_id, change = site.planted.servers[place], {"display_name": name}
    site.world.db.write(lambda tx: servers.change_server(tx, server_id, change))


def violations(page: Page, rules: list[str]) -> list[str]:
    """What axe finds by these rules, or sets of rules: rule and element."""
    found: Any = page.evaluate(
        "async (rules) => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations", rules
    )
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def too_large(page: Page, path: str) -> list[str]:
    """Whether a page has more nodes, or more bytes on the wire, than a page may have."""
    nodes = page.evaluate("document.querySelectorAll('*').length")
    size = page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
    # The reference is not compressed, and all shapes of it are one page, in which one searches.
    fits = path in REFERENCE or (nodes <= MOST_NODES and size <= NEXT_PAGE)
    return [] if fits else [f"{path} has {nodes} nodes and {size} bytes"]


def test_no_page_has_a_violation_in_either_theme_or_width_or_scrolls_sideways_or_is_large(
    visit: Visit, paths: list[str]
) -> None:
    page = visit.page("/help", bypass_csp=True)
    wrong: list[str] = []
    for path in (*paths, *REFERENCE):
        visit.go(page, path)
        wrong += too_large(page, path)
        page.evaluate(AXE)
        for width, theme in (FIRST, *OTHERS):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            rules = RULES if (width, theme) == FIRST else LOOKS
            wrong += [f"{path} {width} {theme} {each}" for each in violations(page, rules)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wrong.append(f"{path} {width} scrolls sideways")
    assert not wrong, "\n".join(wrong)


def test_keys_alone_find_a_held_run_and_resume_it(visit: Visit, site: Site) -> None:
    page = visit.page("/")
    keys = ["g", "a", "j", "Enter", "a", "Enter"]
    for place, key in enumerate(keys):
        page.keyboard.press(key)
        if key == "a" and place == 1:
            page.wait_for_url("**/attention")
        if key == "Enter" and place == 3:
            page.wait_for_url("**/runs/run_*")
        if key == "a" and place == 4:
            expect(page.locator("dialog[open] form")).to_be_visible()
    page.wait_for_load_state()
    expect(page.locator("#facts .st")).not_to_contain_text("Held")
    assert len(keys) <= MOST_KEYS
    assert page.url.endswith(site.planted.held)


def test_without_scripts_a_run_is_found_paused_and_let_go(visit: Visit, site: Site) -> None:
    page = visit.page("/runs", java_script_enabled=False)
    page.locator("summary", has_text="Detail").click()
    page.get_by_role("link", name="waiting", exact=True).click()
    page.locator("#rows tbody a.lnk").first.click()
    for action, word in (("pause", "Paused"), ("unpause", "")):
        page.locator(f"a[data-action={action}]").click()
        page.get_by_label("Reason").fill("looking at it")
        page.locator("form.form button").last.click()
        if word:
            expect(page.locator("#facts .st")).to_have_text(word)
    assert page.url.endswith(site.planted.waiting)
    expect(page.locator("#facts .st")).not_to_have_text("Paused")


def test_a_retry_begins_where_it_is_told_and_is_linked(visit: Visit, site: Site) -> None:
    page = visit.page(f"/runs/{site.planted.undone}")
    page.keyboard.press("r")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_text("starts here")).to_be_visible()
    expect(dialog.locator("input[name=from]:disabled").first).to_be_attached()
    dialog.get_by_label("Reason").fill("controller replaced")
    dialog.get_by_role("button", name="Retry").click()
    page.wait_for_load_state()
    expect(page.locator(".crumbs")).to_contain_text(site.planted.undone[-6:])


def test_a_form_says_what_is_wrong_where_it_is_wrong_and_a_plan_changes_nothing(
    visit: Visit, site: Site
) -> None:
    page = visit.page(f"/start/server.inspect?resource={site.planted.servers[5]}")
    before = len(site.world.db.read(lambda tx: servers.read_server(tx, site.planted.servers[5]) or {}))
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_text("What would be done")).to_be_visible()
    assert before == len(
        site.world.db.read(lambda tx: servers.read_server(tx, site.planted.servers[5]) or {})
    )
    visit.go(page, "/start/server.inspect")
    page.locator("#resourceId").fill("nobody")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("nobody")


def test_what_somebody_types_survives_twenty_live_updates(visit: Visit, site: Site) -> None:
    page = visit.page("/servers")
    field = page.locator("main input[name=q]")
    field.fill("rack")
    field.evaluate("node => { node.mine = true; node.setSelectionRange(1, 3); }")
    live = page.locator("script[type=module]").get_attribute("src") or ""
    for number in range(20):
        name = f"renamed {number}"
        _rename(site, 5, name)
        page.evaluate(
            "url => import(url).then(live => live.refresh())", live.replace("console.js", "live.js")
        )
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert field.evaluate(
        "node => [node.mine, node.value, node === document.activeElement, node.selectionEnd]"
    ) == [
        True,
        "rack",
        True,
        3,
    ]


def test_a_live_page_changes_by_itself(visit: Visit, site: Site) -> None:
    page = visit.page("/servers")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    _rename(site, 4, "changed elsewhere")
    expect(page.get_by_role("link", name="changed elsewhere")).to_be_visible()


def test_the_page_of_an_application_changes_by_itself(visit: Visit, site: Site) -> None:
    page = visit.page(f"/apps/one?app={quote(APP)}")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    tell(site.world, "wrun_2", "run_created", FACTS)
    expect(page.locator("#rows")).to_contain_text("wrun_2")


def test_the_page_of_its_run_changes_by_itself(visit: Visit, site: Site) -> None:
    page = visit.page(f"/apps/run?app={quote(APP)}&run={RUN}")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    tell(site.world, RUN, "step_created", STEP_FACTS, "step_b")
    expect(page.locator("#rows")).to_contain_text("step_b")


def test_the_palette_finds_a_server_by_its_name(visit: Visit, site: Site) -> None:
    page = visit.page("/")
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("m1")
    expect(page.locator("#found li").first).to_contain_text("m1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/*")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_a_menu_opens_within_the_page(visit: Visit, width: int) -> None:
    page = visit.page("/runs", width=width)

    for chip in page.locator("details.chip").all():
        chip.locator("summary").click()
        menu = chip.locator(".menu")
        expect(menu).to_be_visible()
        box = menu.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, chip.inner_text()
        chip.locator("summary").click()


def test_an_operation_is_tried_from_its_page(visit: Visit, site: Site) -> None:
    page = visit.page("/../docs")
    page.get_by_label("Find an operation").fill("get run runs:read /runs/{runId}")
    page.locator("#getRun a").click()
    page.locator("[name=runId]").fill(site.planted.completed)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#told")).to_contain_text("200")
    expect(page.locator("#answer")).to_contain_text(site.planted.completed)


def test_a_first_visit_is_small(visit: Visit, site: Site) -> None:
    page = visit.page(f"/runs/{site.planted.held}")  # A visitor of its own has no cache.
    page.wait_for_function("document.fonts.ready.then(() => true)")
    fetched: dict[str, int] = page.evaluate(
        """() => Object.fromEntries(["navigation", "resource"]
            .flatMap(kind => performance.getEntriesByType(kind))
            .filter(one => !one.name.includes("/live?")).map(one => [one.name, one.transferSize]))"""
    )
    for kind in ("inter.woff2", "mono.woff2", "console.css", "htmx.min.js", "live.js", site.planted.held):
        assert any(kind in name for name in fetched), f"{kind} is not among {fetched}"
    assert sum(fetched.values()) <= FIRST_VISIT, fetched
