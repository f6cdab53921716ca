"""Streams: what is appended is read as the same bytes, also by whoever came before it was there."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from flask import Flask

from app.record.apps import streams
from app.services.apps import streams as service
from tests.support.apps import HOST, PATIENCE_S, THREADS, AppsApi
from tests.support.servers import until

RUN = "wrun_1"
ONE = f"/runs/{RUN}/streams/strm_1_user"
ALL = "/streams/strm_1_user"


@pytest.fixture(autouse=True)
def _run(apps_server: tuple[Flask, int], apps_api: AppsApi) -> Iterator[None]:
    """A run; after the test no reader may be left: each has had a place, and given it back."""
    started = {"workflowName": "greet", "deploymentId": "v1"}
    assert apps_api.event(RUN, "run_created", specVersion=6, eventData=started).status == 200
    yield
    _, readers = apps_server[0].extensions.get("apps.readers", (None, None))
    assert readers is None or until(lambda: readers.is_idle, PATIENCE_S, "all readers are gone")


def test_chunks_come_back_as_they_were_sent(apps_api: AppsApi) -> None:
    put(apps_api, {"data": b64(b"\x00one")})
    put(
        apps_api,
        [{"data": b64(b"two"), "type": "binary"}, {"data": "wör", "type": "string"}, "four"],
        multi=True,
    )
    put(apps_api, "five")
    put(apps_api, b"six", content_type="text/plain")
    put(apps_api, {"data": ""})

    assert apps_api.get(ALL).body == "\x00onetwowörfourfivesix".encode()
    assert apps_api.get(f"{ALL}?startIndex=4").body == b"fivesix"
    assert apps_api.get(f"{ALL}?startIndex=-2").body == b"six"
    assert apps_api.get(f"{ONE}/info").json == {"tailIndex": 6, "done": False}
    assert apps_api.get(f"/runs/{RUN}/streams").json == ["strm_1_user"]


def test_chunks_are_listed_in_pages(apps_api: AppsApi) -> None:
    put(apps_api, ["a", "b", "c"], multi=True)
    put(apps_api, {}, done=True)

    page = apps_api.get(f"{ONE}/chunks?limit=2").json
    rest = apps_api.get(f"{ONE}/chunks?limit=2&cursor={page['cursor']}").json

    assert page == {"data": [chunk(0, b"a"), chunk(1, b"b")], "cursor": "1", "hasMore": True, "done": True}
    assert rest == {"data": [chunk(2, b"c")], "cursor": None, "hasMore": False, "done": True}


def test_a_closed_stream_takes_nothing_more(apps_api: AppsApi) -> None:
    for _ in range(2):
        assert put(apps_api, {}, done=True).status == 204

    refused = put(apps_api, {"data": ""})

    assert (refused.status, refused.json["message"]) == (400, "stream is already closed")
    assert apps_api.get(f"{ONE}/info").json == {"tailIndex": -1, "done": True}


def test_what_cannot_be_a_chunk_is_refused(apps_api: AppsApi) -> None:
    refused: list[tuple[Any, dict[str, Any], str]] = [
        ({"data": "x"}, {"multi": True}, "body must be an array for multi-write"),
        ([{"data": "YQ=="}, 5], {"multi": True}, "a chunk must be a string"),
        ({"data": "no base64!"}, {}, "must be base64"),
        ({"data": 5}, {}, "a chunk must be a string"),
        (["a"], {}, "a chunk must be a string"),
    ]
    for body, how, said in refused:
        reply = put(apps_api, body, **how)
        assert (reply.status, said in reply.json["message"]) == (400, True), reply.body
    assert apps_api.get(f"/runs/{RUN}/streams").json == []
    assert apps_api.ask("PUT", "/runs/wrun_unknown/streams/s", {"data": ""}).status == 404
    assert apps_api.get(f"{ALL}?startIndex=x").status == 400


def test_a_write_of_too_many_chunks_is_refused_whole(
    apps_api: AppsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_CHUNKS", 2)

    assert put(apps_api, ["a", "b", "c"], multi=True).status == 400
    assert put(apps_api, ["a", "b"], multi=True).status == 204
    assert apps_api.get(f"{ONE}/info").json["tailIndex"] == 1


def test_writers_at_a_time_leave_no_hole(apps_api: AppsApi) -> None:
    writers = [threading.Thread(target=put, args=(apps_api, {"data": b64(b"x")})) for _ in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE_S)

    listed = apps_api.get(f"{ONE}/chunks").json["data"]

    assert [one["index"] for one in listed] == list(range(12))


def test_a_reader_who_came_first_gets_each_chunk_at_once(apps_api: AppsApi) -> None:
    with following(apps_api, f"{ALL}?stream=true") as reader:
        assert (reader.status, reader.getheader("content-type")) == (200, "application/octet-stream")
        for part in (b"one", b"two"):
            put(apps_api, {"data": b64(part)})
            assert reader.read(3) == part
        put(apps_api, {}, done=True)

        assert reader.read() == b""


def test_more_readers_than_threads_leave_the_door_free(apps_api: AppsApi) -> None:
    paths = [f"/streams/strm_{number}?stream=true" for number in range(THREADS * 2)]
    readers = [following(apps_api, path) for path in paths]
    opened = [reader.__enter__() for reader in readers]

    assert {reader.status for reader in opened} == {200}
    assert apps_api.get(f"{ONE}/info").status == 200
    for reader in readers:
        reader.__exit__(None, None, None)


def test_a_long_stream_is_read_whole(apps_api: AppsApi) -> None:
    part = b64(b"0123456789abcdef" * 32_768)  # Half a megabyte.
    for _ in range(5):
        put(apps_api, [{"data": part}] * 8, multi=True)
    put(apps_api, {}, done=True)

    with following(apps_api, f"{ALL}?stream=true&startIndex=1") as reader:
        assert len(reader.read()) == 39 * 524_288


def test_the_stream_of_a_health_check_is_gone_when_it_was_read(apps_api: AppsApi) -> None:
    path = "/runs/wrun_of_nobody/streams/__health_check__c1"
    apps_api.ask("PUT", path, {"data": b64(b"{}\n")})
    apps_api.ask("PUT", path, {}, x_stream_done="true")

    with following(apps_api, "/streams/__health_check__c1?stream=true") as reader:
        assert reader.read() == b"{}\n"

    until(lambda: apps_api.get("/runs/wrun_of_nobody/streams").json == [], PATIENCE_S)


def test_health_checks_that_nobody_reads_are_forgotten(apps_api: AppsApi) -> None:
    apps_api.ask("PUT", "/runs/r/streams/__health_check__c1", {"data": b64(b"{}")})
    put(apps_api, {"data": b64(b"kept")})

    gone = apps_api.world.db.write(lambda tx: streams.forget_health_checks(tx, tx.now + 1))

    assert (gone, apps_api.get("/runs/r/streams").json) == (1, [])
    assert apps_api.get(ALL).body == b"kept"


@contextmanager
def following(api: AppsApi, path: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(HOST, api.port, timeout=60)
    connection.request("GET", f"/api/v1/apps/{api.app}{path}", headers=dict(api.headers))
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def put(api: AppsApi, body: Any, *, multi: bool = False, done: bool = False, **headers: str) -> Any:
    more = {**({"x_stream_multi": "true"} if multi else {}), **({"x_stream_done": "true"} if done else {})}
    return api.ask("PUT", ONE, body, **headers, **more)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chunk(index: int, data: bytes) -> dict[str, Any]:
    return {"index": index, "data": b64(data)}
