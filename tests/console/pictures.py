"""Makes the pictures of the console in docs/pictures anew: `python -m tests.console.pictures [NAME…]`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.console.conftest import CHROMIUM, FLAGS, Site, serving

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
# Name, theme, path.
PICTURES: tuple[tuple[str, Any, str], ...] = (
    ("overview", "light", "/"),
    ("runs", "light", "/runs"),
    ("attention", "dark", "/attention"),
    ("run", "dark", "/runs/{held}"),
    ("undone", "light", "/runs/{undone}"),
    ("graph", "dark", "/runs/{undone}?view=graph"),
    ("retry", "light", "/runs/{held}/retry"),
    ("server", "light", "/servers/{server}"),
    ("type", "dark", "/types/server.provision"),
    ("batch", "light", "/batches/{batch}"),
    ("app", "dark", "/apps/one?app=%40shop%2Forders"),
    ("reference", "light", "/../docs/operations/startRun"),
)


def main() -> None:
    """One service, one browser, every picture that is named, or all."""
    wanted = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site, sync_playwright() as found:
        browser = found.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, theme, where in PICTURES:
            if not wanted or name in wanted:
                page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
                page.goto(site.url + where.format(**_named(site)), wait_until="load")
                page.wait_for_function("document.fonts.ready.then(() => true)")
                path = FOLDER / f"{name}-{theme}.png"
                page.screenshot(path=path)
                page.close()
        browser.close()


def _named(site: Site) -> dict[str, Any]:
    return {**vars(site.planted), "server": site.planted.servers[0]}


if __name__ == "__main__":
    main()
