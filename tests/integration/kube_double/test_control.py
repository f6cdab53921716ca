"""The control API: what it shows, what it takes and what it does not."""

from typing import Any

import httpx
import pytest

from app.lab.kube import Kube
from tests.integration.kube_double.widgets import Widgets
from tests.support.plain import http


def test_it_shows_what_is_there_and_what_is_broken(kube: Kube, control: httpx.Client) -> None:
    control.patch("", json={"faults": {"throttle": 0.5, "verbs": ["list"]}, "vms": {"delayMs": 7}})
    shown = control.get("").json()
    assert (shown["name"], shown["url"]) == ("mgmt", kube.server().url)
    assert shown["faults"] == {"throttle": 0.5, "verbs": ["list"]}
    assert shown["vms"]["delayMs"] == 7 and shown["objects"]["namespaces"] == 3
    assert http.get(f"{kube.control_url}/kube").json() == [shown]


def test_one_object_is_treated_apart(kube: Kube, control: httpx.Client) -> None:
    control.patch("", json={"special": {"clusters": {"c": {"stuck": True}}}}).raise_for_status()
    behaviours = kube.server().clusters.behaviours
    assert (behaviours.of("c").stuck, behaviours.of("d").stuck) == (True, False)


@pytest.mark.parametrize(
    "body",
    [
        {"faults": {"dead": 1}},
        {"faults": {"drop": 1.5}},
        {"faults": {"errorStatus": 418}},
        {"faults": {"verbs": ["look"]}},
        {"faults": {"gone": "yes"}},
        {"faults": {"unheard": True}},
        {"clusters": {"delayMs": -1}},
        {"vms": {"lies": "yes"}},
        {"special": {"nodes": {}}},
        {"bookmarkSeconds": 0},
        {"other": 1},
    ],
)
def test_what_makes_no_sense_changes_nothing(control: httpx.Client, body: dict[str, Any]) -> None:
    before = control.get("").json()
    answer = control.patch("", json={"faults": {"slow": 1}, **body} if "faults" not in body else body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert control.get("").json() == before


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/x", 404), ("PUT", "", 405), ("GET", "/cut", 405)]
)
def test_wrong_addresses(control: httpx.Client, method: str, path: str, status: int) -> None:
    assert control.request(method, path).status_code == status


def test_an_unknown_cluster_is_not_there(kube: Kube) -> None:
    assert http.get(f"{kube.control_url}/kube/other").status_code == 404


def test_the_ledger_counts_what_was_done(control: httpx.Client, widgets: Widgets) -> None:
    widgets.create("a")
    widgets.patch({"spec": {"size": 2}}, "a")
    widgets.delete("a")
    lines = control.get("/ledger", params={"kind": "widgets", "name": "a"}).json()
    assert [line["effect"] for line in lines] == ["create", "update", "gone"]
    assert len({line["value"] for line in lines}) == 1
    creates = control.get("/ledger", params={"kind": "widgets", "effect": "create"}).json()
    assert [line["seq"] for line in creates] == [lines[0]["seq"]]


def test_two_clusters_know_nothing_of_each_other() -> None:
    with Kube(["east", "west"]) as kube:
        west = kube.server("west")
        machines, before = west.vms.kind("virtualmachines"), west.store.version
        control = f"{kube.control_url}/kube/east/load"
        assert http.post(control, json={"vms": 3}).status_code == 200
        counts = [
            kube.server(name).store.count(kube.server(name).vms.kind("virtualmachines"))
            for name in ("east", "west")
        ]
        assert (counts, west.store.after(machines, before)) == ([3, 0], [])
        assert kube.server("east").port != kube.server("west").port
