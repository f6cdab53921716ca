"""Patches: each of the media types, and what does not fit."""

from typing import Any

import pytest
from kubernetes import client

from tests.integration.kube_double.widgets import JSON, STRATEGIC, Widgets, refused


def test_a_merge_patch_merges_maps_and_null_removes(widgets: Widgets) -> None:
    widgets.create("w", spec={"free": {"keep": 1, "drop": 2, "list": [1, 2]}})
    after = widgets.patch({"spec": {"free": {"drop": None, "list": [3], "new": {"x": 1}}}})
    assert after["spec"]["free"] == {"keep": 1, "list": [3], "new": {"x": 1}}


def test_a_json_patch_does_its_operations_in_order(widgets: Widgets) -> None:
    widgets.create("w", spec={"free": {"list": ["a", "c"], "a/b": 1}})
    operations = [
        {"op": "test", "path": "/spec/size", "value": 1},
        {"op": "add", "path": "/spec/free/list/1", "value": "b"},
        {"op": "add", "path": "/spec/free/list/-", "value": "d"},
        {"op": "move", "from": "/spec/free/a~1b", "path": "/spec/free/moved"},
        {"op": "copy", "from": "/spec/free/moved", "path": "/spec/free/copied"},
        {"op": "replace", "path": "/spec/size", "value": 5},
        {"op": "remove", "path": "/spec/free/copied"},
    ]
    after = widgets.patch(operations, type_=JSON)["spec"]
    assert (after["size"], after["free"]) == (5, {"list": ["a", "b", "c", "d"], "moved": 1})


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/size", "value": 2},
        {"op": "remove", "path": "/spec/nowhere"},
        {"op": "replace", "path": "/spec/free/x", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_changes_nothing(
    widgets: Widgets, operation: dict[str, object]
) -> None:
    before = widgets.create("w")
    many = [{"op": "replace", "path": "/spec/size", "value": 9}, operation]
    refused(422, "Invalid", lambda: widgets.patch(many, type_=JSON))
    assert widgets.get() == before


def test_custom_objects_take_no_strategic_patch(widgets: Widgets) -> None:
    widgets.create("w")
    refused(415, "UnsupportedMediaType", lambda: widgets.patch({"spec": {"size": 2}}, type_=STRATEGIC))


def test_a_strategic_patch_merges_lists_by_their_keys(api: client.ApiClient, namespace: str) -> None:
    core: Any = client.CoreV1Api(api)
    secret = {"metadata": {"name": "s", "finalizers": ["windlass.test/one"]}, "stringData": {"a": "1"}}
    core.create_namespaced_secret(namespace, secret)
    patch = {"metadata": {"finalizers": ["windlass.test/two"]}, "stringData": {"b": "2"}}
    core.patch_namespaced_secret("s", namespace, patch, _content_type=STRATEGIC)
    found = core.read_namespaced_secret("s", namespace)
    assert set(found.metadata.finalizers) == {"windlass.test/one", "windlass.test/two"}
    assert found.data == {"a": "MQ==", "b": "Mg=="}
    remove = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["windlass.test/one", "windlass.test/two"]}}
    core.patch_namespaced_secret("s", namespace, remove, _content_type=STRATEGIC)
    assert not core.read_namespaced_secret("s", namespace).metadata.finalizers


def test_a_patch_needs_an_object(widgets: Widgets) -> None:
    refused(404, "NotFound", lambda: widgets.patch({"spec": {"size": 2}}))
