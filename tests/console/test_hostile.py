"""Texts that would like to be markup, in every field that takes a text, on every page: they stay texts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from app.api.apps.application import create_apps
from app.services import workers
from tests.console.conftest import Site, Visit, needs_browser, serving
from tests.console.planted import HOSTILE
from tests.console.planted_others import APP
from tests.console.test_browser import paths

__all__ = ["paths"]
pytestmark = needs_browser
SHORT, NAME = HOSTILE[:60], HOSTILE[:37]  # A worker is named by its path, where a slash ends it.
STRANGE_RUN = "wrun_strange"
# What a page would have in it if one of the texts were taken for markup, a program or a template.
TAKEN = "document.querySelectorAll('[onerror], [onload], img[src=x], main script').length"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The planted service, in which people and programs have written what they should not."""
    with serving(tmp_path_factory.mktemp("hostile")) as served:
        client = served.app.test_client()
        client.environ_base["HTTP_HOST"] = "localhost"
        workers.beat(served.world.db, NAME, [SHORT], 1)
        for path, body in _written(served).items():
            answer = client.post(path, json=body)
            assert answer.status_code < 300, (path, answer.get_data(as_text=True))
        _app(served)
        yield served


def _written(site: Site) -> dict[str, dict[str, Any]]:
    """Requests by their path; the zone and the name of a server go into a batch."""
    run = f"/v1/workflows/runs/{site.planted.hostile}"
    server = {"name": "strange-1", "plan": "1xCPU-2GB", "zone": SHORT}
    operation = {"id": "web", "type": "server_batch", "provider": "local", "server_configs": [server]}
    return {
        "/v1/views": {"name": SHORT, "query": f"q={quote(SHORT)}"},
        "/v1/workflows/types/vm.delete/actions": {"action": "pause", "reason": HOSTILE},
        "/v1/pools": {"name": SHORT, "labels": {"rack": HOSTILE}},
        f"{run}/notes": {"text": HOSTILE},
        f"{run}/actions": {"action": "pause", "reason": HOSTILE},
        "/v1/workflows/batch/submit": {"batch_workflow": {"name": SHORT, "operations": [operation]}},
        f"/v1/workers/{quote(NAME, safe='')}/drain": {"reason": HOSTILE},
    }


def _app(site: Site) -> None:
    """A run of an application whose workflow, version and input are no better."""
    settings = replace(site.world.settings, apps_identity="ecs")
    api = create_apps(replace(site.world, settings=settings)).test_client()
    facts = {"workflowName": HOSTILE, "deploymentId": SHORT, "input": [HOSTILE]}
    event = {"eventType": "run_created", "eventData": facts}
    answer = api.post(f"/api/v1/apps/{quote(APP, safe='')}/runs/{STRANGE_RUN}/events", json=event)
    assert answer.status_code < 300, answer.get_data(as_text=True)


@pytest.fixture
def everywhere(site: Site, paths: list[str]) -> list[str]:
    """Every page, and those that show what somebody typed into an address."""
    of_app = f"app={quote(APP)}&run={STRANGE_RUN}"
    own = (f"/servers/{site.planted.servers[6]}", f"/runs/{site.planted.hostile}?view=events")
    typed = quote(HOSTILE)
    asked = (f"/search?q={typed}", f"/runs?tag={typed[:60]}&by={typed}", f"/locks?resource={typed}")
    return [*paths, *own, *asked, f"/apps/run?{of_app}", f"/runs/{site.planted.hostile}?view=io"]


def test_no_page_takes_a_text_for_anything_else(visit: Visit, everywhere: list[str]) -> None:
    page = visit.page("/help")
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    shown: list[str] = []
    taken: list[str] = []
    for path in everywhere:
        visit.go(page, path)
        text = page.content()
        shown += [path] if "onerror=alert(1)" in text else []
        taken += [path] if page.evaluate(TAKEN) or "'49" in text else []
    assert (asked, taken) == ([], [])
    assert len(shown) >= 12, shown  # Else the texts would not be where they are looked for.
