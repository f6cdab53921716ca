"""Eight pages in both themes beside stored pictures of them: `WINDLASS_NEW_LOOKS=1` stores them anew.

The data, the ids, the clock and the fonts are always the same. Edges of letters and lines are not: they
differ from one Chromium, and from one machine, to another. So pictures are taken and compared at half their
size, a difference counts from `SEEN` of 255 on, and `FEW` of all places may differ.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.console.conftest import Site, needs_browser, serving
from tests.console.stillness import stillness

pytestmark = needs_browser
FOLDER = Path(__file__).parent / "looks"
ANEW = bool(os.environ.get("WINDLASS_NEW_LOOKS"))  # Read now: tests see no setting of the shell.
SEEN, FEW = 48, 0.002
PAGES = {
    "overview": "/",
    "runs": "/runs",
    "attention": "/attention",
    "run": "/runs/{held}",
    "retry": "/runs/{held}/retry",
    "server": "/servers/{server}",
    "batch": "/batches/{batch}",
    "app": "/apps/one?app=%40shop%2Forders",
}
THEMES: tuple[Any, ...] = ("light", "dark")
# Given two pictures, the part of places that differ; 1 where their sizes do.
DIFFERENCE = """async ([one, other, seen]) => {
  const read = async (data) => {
    const image = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
    const brush = new OffscreenCanvas(image.width, image.height).getContext("2d");
    brush.drawImage(image, 0, 0);
    return brush.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await read(one), await read(other)];
  if (a.width !== b.width || a.height !== b.height) return 1;
  let differ = 0;
  for (let at = 0; at < a.data.length; at += 4)
    if ([0, 1, 2].some((part) => Math.abs(a.data[at + part] - b.data[at + part]) >= seen)) differ += 1;
  return differ / (a.data.length / 4);
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The planted service, which is the same each time; since all is planted its clock stands still."""
    folder = tmp_path_factory.mktemp("looks")
    with pytest.MonkeyPatch.context() as patch, stillness(patch) as clock, serving(folder) as served:
        clock.step = 0
        yield served


@pytest.fixture(scope="module")
def scales(browser: Browser) -> Iterator[Page]:
    """A page that compares pictures."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_did(browser: Browser, scales: Page, site: Site, name: str, theme: Any) -> None:
    shown = _shown(browser, site, PAGES[name], theme)
    stored = FOLDER / f"{name}-{theme}.png"
    if ANEW:
        stored.parent.mkdir(exist_ok=True)
        stored.write_bytes(shown)
    texts = [base64.b64encode(picture).decode() for picture in (stored.read_bytes(), shown)]

    differ = scales.evaluate(DIFFERENCE, [*texts, SEEN])

    assert differ <= FEW, f"{differ:.2%} of {name}, {theme}: {_kept(shown, stored.name)}"


def _shown(browser: Browser, site: Site, where: str, theme: Any) -> bytes:
    """A picture of a page without scripts, so that nothing moves in it."""
    named = {**vars(site.planted), "server": site.planted.servers[0]}
    size: Any = {"width": 1280, "height": 800}
    options: Any = {"color_scheme": theme, "java_script_enabled": False}
    context = browser.new_context(viewport=size, device_scale_factor=0.5, **options)
    page = context.new_page()
    page.goto(site.url + where.format(**named), wait_until="load")
    picture = page.screenshot(animations="disabled")
    context.close()
    return picture


def _kept(picture: bytes, name: str) -> Path:
    """Where the picture that differs can be looked at."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / "windlass-looks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(picture)
    return folder / name
