"""Credentials stay where they belong: sealed in one column, opened in one process."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from tests.acceptance.servers.site import IMAGE, PASSWORD, Machine, Site
from tests.support.plain import http
from windlass.models import Run

pytestmark = pytest.mark.postgres
WRONG = "Falscher-Vogel-0815"
NEEDLES = [word.encode() for word in (PASSWORD, WRONG)]
NEEDLES += [base64.b64encode(word) for word in NEEDLES]


@contextmanager
def overheard(url: str) -> Iterator[list[bytes]]:
    """Everything that is sent to a Redis while the block runs, message bodies decoded."""
    heard: list[bytes] = []
    with redis.Redis.from_url(url) as store, store.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                heard.append(json.dumps(command, default=str).encode())
                if "the end" in command["command"]:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        yield heard
        with redis.Redis.from_url(url) as other:
            other.echo("the end")
        listener.join()
    heard += [base64.b64decode(body) for line in heard for body in re.findall(rb"body\W+([\w+/=]{8,})", line)]


def lived(site: Site) -> tuple[Machine, list[Run]]:
    """A machine that was registered with a wrong and a right password, inspected, provisioned, given back."""
    machine = site.machine()
    runs = [site.ended(machine.register(password=WRONG))]
    machine.set_credential()
    runs.append(site.ended(site.client.runs.retry(runs[0].id).id))
    for action, values in (("inspect", {}), ("provision", {"image": IMAGE}), ("deprovision", {})):
        runs.append(site.ended(machine.act(action, **values)))
    assert [run.status for run in runs] == ["failed"] + ["completed"] * 4
    return machine, runs


def rows(url: str) -> Iterator[bytes]:
    """Every row of every table, as text."""
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            for (row,) in database.execute(f'SELECT t::text FROM "{name}" t').fetchall():
                yield f"{name}: {row}".encode()


def test_no_credential_leaves_its_column(site: Site) -> None:
    settings = site.service.stack.settings
    with overheard(settings.redis) as redis_traffic:
        machine, runs = lived(site)
    api = [_body(site, f"/v1/servers/{machine.id}"), _body(site, "/v1/servers")]
    for run in runs:
        api += [_body(site, f"/v1/workflows/runs/{run.id}{tail}") for tail in ("", "/events", "/state")]
    logs = [path.read_bytes() for path in Path(settings.state).rglob("*.log*")]
    told = {"Redis": redis_traffic, "API": api, "logs": logs, "tables": list(rows(settings.database))}
    for where, texts in told.items():
        assert any(runs[-1].id.encode() in text for text in texts), f"{where} tell nothing of the run"
    assert [
        (where, text[:300])
        for where, texts in told.items()
        for text in texts
        if any(n in text for n in NEEDLES)
    ] == []


def _body(site: Site, path: str) -> bytes:
    return http.get(f"{site.client.base_url}{path}", params={}).raise_for_status().content
