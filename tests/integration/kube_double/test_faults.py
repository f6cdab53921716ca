"""Broken on purpose: each fault is what its name says, and a healthy server is none of it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError, ProtocolError

from app.lab.kube import Faults, Kube
from tests.integration.kube_double.widgets import Widgets, refused
from tests.support.servers import until

WRITES = ("create", "update", "patch", "delete")


@pytest.fixture
def suffers(kube: Kube, widgets: Widgets) -> Iterator[Callable[..., None]]:
    """Break the server, but only for widgets, and only for the test."""

    def set_(**faults: Any) -> None:
        kube.server().active_faults.current = Faults(resources=("widgets",), **faults)

    yield set_
    kube.server().active_faults.current = Faults()


def created(kube: Kube) -> int:
    """How many widgets really came into being."""
    effects = kube.ledger.read(effect="create")
    return sum(line.machine.startswith("mgmt/widgets.") for line in effects)


def test_throttling_says_when_to_come_back(widgets: Widgets, suffers: Any) -> None:
    suffers(throttle=1.0, retry_after=7)
    with pytest.raises(client.ApiException) as caught:
        widgets.create()
    assert (caught.value.status, dict(caught.value.headers or {})["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")]
)
def test_errors_of_the_server_change_nothing(
    kube: Kube, widgets: Widgets, suffers: Any, status: int, reason: str
) -> None:
    suffers(errors=1.0, error_status=status)
    refused(status, reason, widgets.create)
    assert created(kube) == 0


def test_a_lost_answer_hides_a_write_that_was_done(kube: Kube, widgets: Widgets, suffers: Any) -> None:
    suffers(lose=1.0, verbs=WRITES)
    with pytest.raises(HTTPError):
        widgets.create()
    assert created(kube) == 1 and widgets.exists()


def test_a_lost_request_was_never_carried_out(kube: Kube, widgets: Widgets, suffers: Any) -> None:
    suffers(drop=1.0, verbs=WRITES)
    with pytest.raises(HTTPError):
        widgets.create()
    assert created(kube) == 0


def test_what_hangs_leaves_the_client_waiting(kube: Kube, widgets: Widgets, suffers: Any) -> None:
    suffers(lose=1.0, hang=True, verbs=WRITES)
    body = {"metadata": {"name": "w"}, "spec": {"size": 1}}
    with pytest.raises(HTTPError, match=r"(?i)timed out"):
        widgets.post(body, _request_timeout=0.5)
    assert created(kube) == 1


def test_slowness_takes_its_time(widgets: Widgets, suffers: Any) -> None:
    suffers(slow=0.4)
    began = time.monotonic()
    widgets.listed()
    assert time.monotonic() - began >= 0.4


def test_conflicts_come_out_of_nothing(widgets: Widgets, suffers: Any) -> None:
    widgets.create()
    suffers(conflicts=1.0)
    refused(409, "Conflict", lambda: widgets.patch({"spec": {"size": 2}}))


@pytest.mark.parametrize(
    ("faults", "code", "reason"),
    [({"expired": True}, 401, "Unauthorized"), ({"forbidden": True}, 403, "Forbidden")],
)
def test_rights_are_taken_away(
    widgets: Widgets, suffers: Any, faults: dict[str, bool], code: int, reason: str
) -> None:
    suffers(**faults)
    refused(code, reason, widgets.listed)


def test_faults_wear_off_after_so_many_times(widgets: Widgets, suffers: Any) -> None:
    suffers(errors=1.0, fail_times=2)
    for _ in range(2):
        refused(503, "ServiceUnavailable", widgets.create)
    widgets.create()


def test_shares_are_repeatable(widgets: Widgets, suffers: Any) -> None:
    def rounds() -> list[bool]:
        suffers(errors=0.5, seed=7)
        return [_fails(widgets) for _ in range(12)]

    assert rounds() == (first := rounds()) and len(set(first)) == 2


def test_a_watch_is_cut_in_the_middle(widgets: Widgets, suffers: Any) -> None:
    version = widgets.create()["metadata"]["resourceVersion"]
    suffers(watch_cut=0.3)
    with pytest.raises(ProtocolError):
        list(widgets.watch(5, resource_version=version))


def test_a_muted_watch_says_nothing(widgets: Widgets, suffers: Any) -> None:
    version = widgets.create()["metadata"]["resourceVersion"]
    suffers(watch_mute=True)
    widgets.patch({"spec": {"size": 2}})
    assert list(widgets.watch(resource_version=version)) == []


def test_a_version_that_is_forgotten_is_gone(widgets: Widgets, control: httpx.Client) -> None:
    old = widgets.create()["metadata"]["resourceVersion"]
    widgets.patch({"spec": {"size": 2}})
    control.post("/compact").raise_for_status()
    refused_410(lambda: list(widgets.watch(resource_version=old)))
    fresh = widgets.listed()["metadata"]["resourceVersion"]
    assert list(widgets.watch(resource_version=fresh)) == []


@pytest.mark.parametrize("how", ["answer", "event"])
def test_gone_is_told_in_two_ways(widgets: Widgets, suffers: Any, how: str) -> None:
    version = widgets.create()["metadata"]["resourceVersion"]
    suffers(gone=how)
    refused_410(lambda: list(widgets.watch(resource_version=version)))


def test_a_list_that_cannot_go_on_is_gone(widgets: Widgets, suffers: Any) -> None:
    for name in "ab":
        widgets.create(name)
    token = widgets.listed(limit=1)["metadata"]["continue"]
    suffers(gone="answer")
    refused(410, "Expired", lambda: widgets.listed(limit=1, _continue=token))


def test_all_connections_are_cut(widgets: Widgets, control: httpx.Client) -> None:
    version = widgets.create()["metadata"]["resourceVersion"]
    ends: list[type[BaseException]] = []
    told: list[str] = []

    def look() -> None:
        try:
            for type_, _ in widgets.watch(30, resource_version=version):
                told.append(type_)
        except HTTPError as error:
            ends.append(type(error))

    thread = threading.Thread(target=look)
    thread.start()
    other = {"spec": {"size": 5}}
    widgets.patch(other)
    until(lambda: told, why="the watch lives")
    control.post("/cut").raise_for_status()
    thread.join(10)
    assert ends == [ProtocolError]


def test_an_object_is_erased_behind_everybodys_back(widgets: Widgets, control: httpx.Client) -> None:
    first = widgets.create("w", finalizers=["windlass.test/one"])["metadata"]["uid"]
    what = {"kind": "widgets", "namespace": widgets.namespace, "name": "w"}
    control.post("/erase", json={**what, "recreate": True}).raise_for_status()
    assert widgets.get()["metadata"]["uid"] != first
    control.post("/erase", json=what).raise_for_status()
    assert not widgets.exists()


def refused_410(call: Any) -> None:
    """Both ways of being told end in the same error of the client."""
    with pytest.raises(client.ApiException) as caught:
        call()
    assert caught.value.status == 410


def _fails(widgets: Widgets) -> bool:
    try:
        widgets.listed()
    except client.ApiException:
        return True
    return False
