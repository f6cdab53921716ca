"""Lists: pages, selectors, versions."""

from typing import Any

import pytest
from kubernetes import client

from tests.integration.kube_double.widgets import Widgets, refused


def test_pages_show_one_moment(widgets: Widgets) -> None:
    for name in "abcde":
        widgets.create(name)
    first = widgets.listed(limit=2)
    widgets.delete("d")
    widgets.create("f")
    second = widgets.listed(limit=2, _continue=first["metadata"]["continue"])
    third = widgets.listed(limit=2, _continue=second["metadata"]["continue"])
    names = [one["metadata"]["name"] for page in (first, second, third) for one in page["items"]]
    assert names == list("abcde")
    assert first["metadata"]["remainingItemCount"] == 3 and "continue" not in third["metadata"]
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=gold", ["a"]),
        ("tier!=gold", ["b", "c"]),
        ("tier in (gold, iron)", ["a", "b"]),
        ("tier notin (gold)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier=gold,zone=1", ["a"]),
        ("tier=gold,zone=2", []),
    ],
)
def test_labels_select(widgets: Widgets, selector: str, names: list[str]) -> None:
    widgets.create("a", labels={"tier": "gold", "zone": "1"})
    widgets.create("b", labels={"tier": "iron"})
    widgets.create("c")
    assert widgets.names(label_selector=selector) == names


def test_fields_select(widgets: Widgets) -> None:
    widgets.create("a")
    widgets.create("b")
    assert widgets.names(field_selector="metadata.name=b") == ["b"]
    assert widgets.names(field_selector="metadata.name!=b") == ["a"]
    refused(400, "BadRequest", lambda: widgets.listed(field_selector="spec.size=1"))


def test_secrets_can_be_selected_by_type(api: client.ApiClient, namespace: str) -> None:
    core: Any = client.CoreV1Api(api)
    for name, type_ in (("a", "Opaque"), ("b", "windlass.test/other")):
        core.create_namespaced_secret(namespace, {"metadata": {"name": name}, "type": type_})
    found = core.list_namespaced_secret(namespace, field_selector="type=windlass.test/other")
    assert [one.metadata.name for one in found.items] == ["b"]


def test_versions_rise_over_all_kinds(api: client.ApiClient, widgets: Widgets, namespace: str) -> None:
    before = int(widgets.create("a")["metadata"]["resourceVersion"])
    core: Any = client.CoreV1Api(api)
    secret = core.create_namespaced_secret(namespace, {"metadata": {"name": "s"}})
    after = int(widgets.create("b")["metadata"]["resourceVersion"])
    assert before < int(secret.metadata.resource_version) < after
    assert int(widgets.listed()["metadata"]["resourceVersion"]) >= after


def test_a_collection_is_deleted_by_its_labels(api: client.ApiClient, widgets: Widgets) -> None:
    widgets.create("a", labels={"tier": "gold"})
    widgets.create("b")
    place = ("windlass.test", "v1", widgets.namespace, "widgets")
    client.CustomObjectsApi(api).delete_collection_namespaced_custom_object(
        *place, label_selector="tier=gold"
    )
    assert widgets.names() == ["b"]
