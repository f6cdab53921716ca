"""Pages without a browser: whole documents under a strict policy, for whoever may see them."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.api.application import LOGINS_A_MINUTE
from app.config import load
from app.console import static_files
from app.console.form_actions import FORM_ACTIONS
from app.console.types import HEADINGS, REST
from app.services import keys
from app.wiring import wire
from tests.bench import stored
from tests.console.conftest import Site
from tests.console.planted import HOSTILE
from tests.support.databases import SqliteDatabases

PAGES = (
    *(
        "/",
        "/runs",
        "/attention",
        "/types",
        "/types/server.provision",
        "/start/server.provision",
        "/schedules",
    ),
    *(
        "/code",
        "/servers",
        "/clusters",
        "/vms",
        "/pools",
        "/locks",
        "/workers",
        "/webhooks",
        "/keys",
        "/audit",
    ),
    *("/health", "/help", "/search?q=m", "/batches", "/batches/new", "/apps"),
)
OPENED = tuple(
    f"/do/{name}/one" if "{id}" in action.path else f"/do/{name}"
    for name, action in FORM_ACTIONS.items()
    if not action.reads
)
ONE = (
    "/runs/{held}",
    "/runs/{held}/retry",
    "/runs/{held}/resume",
    "/runs/{undone}?view=events",
    "/runs/{hostile}",
    *(
        "/runs/{held}?view=graph",
        "/runs/{held}/acknowledge",
        "/batches/{batch}",
        "/batches/{batch}/rollback",
        "/batches/{awaits}",
        "/do/batch-retry/{batch}",
    ),
    *("/apps/one?app=%40shop%2Forders", "/apps/run?app=%40shop%2Forders&run=wrun_1"),
    "/apps/run/cancel?app=%40shop%2Forders&run=wrun_1",
)
MOST_NODES, MOST_BYTES = 1_500, 10_000
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def token_of(page: str) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found
    return found[1]


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one."""
        self.found.append((tag, dict(attrs)))


@pytest.fixture(params=[*PAGES, *OPENED, *ONE])
def page(request: pytest.FixtureRequest, client: FlaskClient, site: Site) -> tuple[str, str]:
    """The policy of each page and its text."""
    answer = client.get("/console" + str(request.param).format(**vars(site.planted)))
    assert answer.status_code == 200, answer.get_data(as_text=True)[:400]
    return answer.headers["Content-Security-Policy"], answer.get_data(as_text=True)


def test_a_page_is_whole_and_asks_for_no_exception_from_the_policy(page: tuple[str, str]) -> None:
    policy, text = page
    assert "unsafe" not in policy and "http" not in policy
    for tag, attributes in Elements(text).found:
        assert tag != "style"
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
        for name in ("src", "href", "action"):
            assert not (attributes.get(name) or "").startswith(("http", "//", "javascript"))
    posts = [form for form in re.findall(r"<form.*?</form>", text, re.DOTALL) if 'method="post"' in form]
    assert posts and all('name="csrf"' in form for form in posts)


def test_what_people_write_is_shown_as_text(client: FlaskClient, site: Site) -> None:
    where = (
        "/runs",
        f"/runs/{site.planted.hostile}",
        "/servers",
        f"/servers/{site.planted.servers[6]}",
        "/locks",
    )
    for path in (*where, f"/search?q={HOSTILE}", f"/runs?tag={HOSTILE[:20]}&by={HOSTILE}", "/attention"):
        text = client.get(f"/console{path}", follow_redirects=True).get_data(as_text=True)
        assert "<img" not in text and "<svg onload" not in text, path
        assert "49" not in re.findall(r"&#34;&#39;(\d+)", text)


def test_a_form_without_its_token_or_of_another_site_is_refused(client: FlaskClient, site: Site) -> None:
    path = f"/console/runs/{site.planted.held}/pause"
    token = token_of(client.get("/console/runs").get_data(as_text=True))
    assert client.post(path, data={}, headers=SAME_SITE).status_code == 403
    assert (
        client.post(path, data={"csrf": token}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    )
    assert (
        client.post(path, data={"csrf": token}, headers={"Origin": "http://evil.example"}).status_code == 403
    )


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[FlaskClient, str]]:
    """A client of a service with one key, which may only read, and the token of that key."""
    database = SqliteDatabases(tmp_path).fresh()
    world = wire(load({}, database_url=database, state_dir=str(tmp_path), redis_url="redis://127.0.0.1:1/0"))
    _, token, _ = keys.create(world, "reader", ["runs:read"])
    client = create_app(world).test_client()
    client.environ_base["HTTP_HOST"] = "localhost"
    yield client, token
    world.db.dispose()


@pytest.mark.parametrize("path", ["/", "/runs", "/runs?status=failed", "/attention"])
def test_a_full_list_is_within_what_a_page_may_have(tmp_path: Path, path: str) -> None:
    database = SqliteDatabases(tmp_path).fresh()
    stored.store(database, 1_000)
    settings = {"database_url": database, "state_dir": str(tmp_path), "keyless": True}
    world = wire(load({}, redis_url="redis://127.0.0.1:1/0", **settings))
    client = create_app(world).test_client()
    client.environ_base["HTTP_HOST"] = "localhost"

    answer = client.get(f"/console{path}", headers={"Accept-Encoding": "gzip"})

    assert len(answer.get_data()) <= MOST_BYTES
    assert len(Elements(gzip.decompress(answer.get_data()).decode()).found) <= MOST_NODES
    world.db.dispose()


def test_with_keys_whoever_has_none_logs_in_and_is_led_back(guarded: tuple[FlaskClient, str]) -> None:
    client, token = guarded
    asked = client.get("/console/runs?status=failed")
    assert (asked.status_code, asked.headers["Location"]) == (
        303,
        "/console/login?next=/console/runs%3Fstatus%3Dfailed",
    )
    form = {"csrf": token_of(client.get("/console/login").get_data(as_text=True)), "next": "/console/runs"}
    assert (
        client.post("/console/login", data={**form, "key": "wlk_wrong"}, headers=SAME_SITE).status_code == 401
    )
    entered = client.post("/console/login", data={**form, "key": token}, headers=SAME_SITE)
    assert (entered.status_code, entered.headers["Location"]) == (303, "/console/runs")
    cookie = next(one for one in entered.headers.getlist("Set-Cookie") if "session" in one)
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert client.get("/console/runs").status_code == 200
    assert client.get("/console/keys").status_code == 403
    assert "Start…" not in client.get("/console/types").get_data(as_text=True)
    client.post("/console/logout", data=form, headers=SAME_SITE)
    assert client.get("/console/runs").status_code == 303


def test_whoever_fails_to_log_in_keeps_nobody_out_who_has_a_key(guarded: tuple[FlaskClient, str]) -> None:
    client, token = guarded
    form = {"csrf": token_of(client.get("/console/login").get_data(as_text=True)), "next": "/console/runs"}

    failed = [
        client.post("/console/login", data={**form, "key": "wlk_wrong"}, headers=SAME_SITE).status_code
        for _ in range(LOGINS_A_MINUTE + 2)
    ]
    entered = client.post("/console/login", data={**form, "key": token}, headers=SAME_SITE)

    assert (failed[0], failed[-1], entered.status_code) == (401, 429, 303)


def test_nobody_is_led_elsewhere_after_logging_in(client: FlaskClient) -> None:
    for to in ("https://evil.example/", "//evil.example", "/\\evil.example", "/v1/servers"):
        page = client.get("/console/login", query_string={"next": to}).get_data(as_text=True)
        assert 'name="next" value="/console/"' in page


def test_files_are_kept_for_good_under_a_name_that_changes_with_them(client: FlaskClient) -> None:
    answer = client.get(static_files.static("console.css"))
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/console/static/000000000000/console.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/console/static/000000000000/../family.py").status_code == 404


def test_an_address_of_the_api_in_a_browser_leads_to_its_page(client: FlaskClient, site: Site) -> None:
    html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    path = f"/v1/workflows/runs/{site.planted.held}"
    assert client.get(path, headers=html).headers["Location"] == f"/console/runs/{site.planted.held}"
    assert client.get(path).status_code == 200


def test_without_a_console_the_api_is_as_it_was(site: Site) -> None:
    settings = replace(site.world.settings, console=False)
    client = create_app(replace(site.world, settings=settings)).test_client()
    client.environ_base["HTTP_HOST"] = "localhost"
    assert client.get("/").headers["Location"] == "/docs"
    assert client.get("/console/").status_code == 404
    assert client.get("/v1/workflows/runs", headers={"Accept": "application/json"}).status_code == 200


@pytest.mark.parametrize("path", ["/console/nowhere", "/nowhere", "/v1/nowhere", "/v1/workflows/runs/"])
def test_a_page_that_is_not_there_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is nothing here" in answer.get_data(as_text=True)


def test_a_deed_without_its_object_is_no_page(client: FlaskClient) -> None:
    answer = client.get("/console/do/lock-release", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "lock-release needs the id" in answer.text


def test_a_text_that_is_too_short_to_be_looked_for_is_not_said_to_be_unknown(client: FlaskClient) -> None:
    page = client.get("/console/search?q=m").text

    assert "at least two characters" in page
    assert "Nothing is called" not in page


def test_words_of_code_in_a_hint_are_shown_as_code(client: FlaskClient) -> None:
    page = client.get("/console/do/schedule-create").text

    assert "<code>skip</code>" in page
    assert "`" not in page


def test_each_kind_of_type_stands_under_one_heading(client: FlaskClient) -> None:
    page = client.get("/console/types").text

    for heading in (*HEADINGS.values(), REST):
        assert page.count(f"<h2>{heading}</h2>") == 1


def test_a_program_that_asks_for_what_is_not_there_gets_a_problem(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(client: FlaskClient, site: Site) -> None:
    text = client.get("/console/runs.csv").get_data(as_text=True)
    assert site.planted.held in text
    assert not re.search(r"(^|,)[=+@-]", text, re.MULTILINE)
