"""Everything that is there, and everything that happens then, on any API server."""

import threading
import uuid
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest

from app.domain.errors import KubeConflict, KubeUnreachable
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.reflector import Bookmark, Event, Item, Pace, Page, Reflector
from tests.support.kube import Management

PATIENCE_S = 120.0


@pytest.fixture
def path(client: Kube) -> Iterator[str]:
    """A collection of config maps of its own."""
    name = f"windlass-{uuid.uuid4().hex[:8]}"
    client.apply(f"/api/v1/namespaces/{name}", named("v1", "Namespace", name))
    yield f"/api/v1/namespaces/{name}/configmaps"
    client.delete(f"/api/v1/namespaces/{name}")


def named(version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An object that is little more than its name."""
    labels = {"windlass.test": "yes"}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **more}


def make(client: Kube, path: str, name: str, value: str = "") -> None:
    """Have a config map."""
    client.apply(f"{path}/{name}", named("v1", "ConfigMap", name, data={"value": value}))


@pytest.fixture
def told(management: Management, client: Kube, path: str) -> Iterator["Queue[Item]"]:
    """What a reflector tells, once it has listed what `first` and `second` are."""
    for name in ("first", "second"):
        make(client, path, name)
    heard: Queue[Item] = Queue()
    kube = Kube(cleaned(management.kubeconfig))
    reflector = Reflector(path, {"labelSelector": "windlass.test=yes"}, Pace(watch_s=2))

    def follow() -> None:
        try:
            for item in reflector.follow(kube):
                heard.put(item)
        except KubeUnreachable:
            kube.close()

    thread = threading.Thread(target=follow)
    thread.start()
    yield heard
    kube.interrupt()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def happened(told: "Queue[Item]", count: int) -> list[tuple[str, str]]:
    """The next events: their type and whom they are about."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        item = told.get(timeout=PATIENCE_S)
        if isinstance(item, Event):
            found.append((item.type, item.object["metadata"]["name"]))
    return found


def test_what_is_there_comes_first_and_then_whatever_happens(
    told: "Queue[Item]", client: Kube, path: str
) -> None:
    page = told.get(timeout=PATIENCE_S)
    assert isinstance(page, Page) and (page.first, page.last) == (True, True)
    assert {one["metadata"]["name"] for one in page.objects} == {"first", "second"}
    make(client, path, "third")
    make(client, path, "first", "changed")
    client.delete(f"{path}/second")
    assert happened(told, 3) == [("ADDED", "third"), ("MODIFIED", "first"), ("DELETED", "second")]


def test_a_watch_that_ends_is_followed_by_another_that_misses_nothing(
    told: "Queue[Item]", client: Kube, path: str
) -> None:
    while not isinstance(told.get(timeout=PATIENCE_S), Bookmark):
        continue
    make(client, path, "third")
    assert happened(told, 1) == [("ADDED", "third")]


class Scripted:
    """An API server whose watches say what they are told to."""

    def __init__(self, *lines: bytes) -> None:
        self.listed, self._lines = 0, lines

    def call(self, *_args: Any, **_kw: Any) -> dict[str, Any]:
        """An empty list."""
        self.listed += 1
        return {
            "kind": "WishList",
            "apiVersion": "windlass.test/v1",
            "items": [],
            "metadata": {"resourceVersion": "7"},
        }

    def lines(self, *_args: Any, **_kw: Any) -> Iterator[bytes]:
        """A watch."""
        yield from self._lines


GONE = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}'
BUSY = b'{"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "storage is away"}}'


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ((GONE,), KubeConflict),
        ((BUSY,), KubeUnreachable),
        ((b'{"type": "ADDED", "obj',), KubeUnreachable),
        ((b'{"type": "ADDED"}',), KubeUnreachable),
        ((b"[]",), KubeUnreachable),
        ((), KubeUnreachable),
    ],
    ids=["gone", "busy", "cut", "nothing", "list", "short"],
)
def test_what_is_no_event_ends_the_watch(line: tuple[bytes, ...], error: type[Exception]) -> None:
    server: Any = Scripted(*line)
    reflector = Reflector("/apis/windlass.test/v1/wishes")
    for _ in range(2):
        with pytest.raises(error):
            list(reflector.follow(server))
    assert server.listed == (2 if error is KubeConflict else 1)  # Only what is forgotten is listed anew.
