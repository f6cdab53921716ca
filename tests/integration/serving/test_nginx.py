"""Behind nginx with the configuration that docs/operate.rst shows: the API as its clients see it."""

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from app.config import Settings, environment, load
from app.host import programs, up
from app.record import migrate
from app.services import keys
from app.wiring import wire
from tests.support.ports import free_port
from tests.support.servers import new_nginx, remove, until

pytestmark = [pytest.mark.sqlite, pytest.mark.nginx]
ROOT = Path(__file__).parents[3]
RUNS = "/v1/workflows/runs"
HOOKS = [f"{path}/{'x' * 43}" for path in ("/v1/hooks", "/api/workflows/hooks")]
ORDER = {"type": "sync.server-state", "input": {}}


class Behind(NamedTuple):
    """The proxy, the API behind it, and a key."""

    url: str
    settings: Settings
    token: str

    def client(self, address: str = "127.0.0.1", token: str | None = None) -> httpx.Client:
        """Somebody at an address of this machine, with the key unless told otherwise."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"} if token != "" else {}
        way = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self.url, headers=headers, transport=way, timeout=30)


def example() -> str:
    """The block that the page shows."""
    page = (ROOT / "docs/operate.rst").read_text()
    found = re.search(r"For nginx::\n\n((?:    .*\n|\n)+)", page)
    assert found is not None
    return textwrap.dedent(found[1])


def here(settings: Settings, port: int) -> str:
    """The example without TLS, on a port, before this API."""
    plain = re.sub(r" *ssl_\w+ .*\n", "", example())
    listening = plain.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return listening.replace("127.0.0.1:8080", f"127.0.0.1:{settings.port}")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The API as `windlass up` starts it, which answers without a key on loopback, and nginx before it."""
    state = tmp_path_factory.mktemp("nginx")
    wanted = {"WINDLASS_REGION": "test", "REDIS_URL": "redis://127.0.0.1:1/0", "WINDLASS_HOOK_RATE": "0"}
    settings = replace(load(wanted, state_dir=str(state), port=free_port()), keyless=True)
    migrate.upgrade(settings.database)
    proxy = new_nginx(lambda port: here(settings, port))
    with (state / "api.log").open("wb") as log:
        api = subprocess.Popen(
            programs.api(settings), env={**os.environ, **environment(settings)}, stdout=log, stderr=log
        )
    try:
        until(lambda: _lives(settings), 60, lambda: (state / "api.log").read_text())
        proxy.start()
        yield Behind(proxy.url, settings, "")
    finally:
        remove(proxy)
        api.terminate()
        api.wait(30)


@pytest.fixture(scope="module")
def keyed(behind: Behind) -> Behind:
    """The same, once there is a key."""
    world = wire(behind.settings)
    _, token, _ = keys.create(world, "nginx", ["admin"])
    world.db.dispose()
    return behind._replace(token=token)


def _lives(settings: Settings) -> bool:
    try:
        return httpx.get(f"{up.local_url(settings)}/livez", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_nobody_is_answered_without_a_key(behind: Behind) -> None:
    direct = httpx.get(f"{up.local_url(behind.settings)}{RUNS}", trust_env=False)
    with behind.client(token="") as stranger:
        assert (direct.status_code, stranger.get(RUNS).status_code) == (200, 401)
        assert stranger.post(RUNS, json=ORDER).status_code == 401
        assert stranger.get("/livez").status_code == 200


def test_the_api_is_served(keyed: Behind) -> None:
    with keyed.client() as client:
        made = client.post(RUNS, json=ORDER)
        assert made.status_code == 202, made.text
        assert client.get(f"{RUNS}/{made.json()['data']['id']}").status_code == 200


def test_what_is_too_long_is_refused_in_the_words_of_windlass(keyed: Behind) -> None:
    with keyed.client() as client:
        answer = client.post(RUNS, json={**ORDER, "more": "x" * 1_100_000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_events_are_streamed_as_they_happen(keyed: Behind) -> None:
    with keyed.client() as client:
        made = client.post(RUNS, json=ORDER).json()["data"]["id"]
        with client.stream("GET", f"{RUNS}/{made}/stream") as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: run.created"
            client.post(f"{RUNS}/{made}/cancel", json={"reason": "seen"}).raise_for_status()
            assert "event: run.cancelled" in list(lines)


@pytest.mark.parametrize(("number", "hook"), list(enumerate(HOOKS)))
def test_each_client_has_a_limit_of_its_own_for_hooks(keyed: Behind, number: int, hook: str) -> None:
    own, others = f"127.0.1.{number + 1}", f"127.0.2.{number + 1}"
    with closing(keyed.client(own, "")) as eager, closing(keyed.client(others, "")) as other:
        until(lambda: eager.post(hook, json={}).status_code == 429, 60, "the eager one is limited", pause=0)
        assert other.post(hook, json={}).status_code == 404
