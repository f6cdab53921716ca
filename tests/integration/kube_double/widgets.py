"""Widgets: custom objects of a test, through the official client."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, watch

GROUP, VERSION, PLURAL = "windlass.test", "v1", "widgets"
_NAME = f"{PLURAL}.{GROUP}"
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 0},
                "colour": {"type": "string", "default": "grey", "enum": ["grey", "red", "blue"]},
                "serial": {
                    "type": "string",
                    "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}],
                },
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": _NAME},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Widget", "listKind": "WidgetList", "plural": PLURAL, "singular": "widget"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _SCHEMA},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
            }
        ],
    },
}
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
JSON, STRATEGIC = "application/json-patch+json", "application/strategic-merge-patch+json"

Object = dict[str, Any]


def defined(api: client.ApiClient) -> None:
    """Make the kind known, unless it is already."""
    definitions: Any = client.ApiextensionsV1Api(api)
    try:
        definitions.create_custom_resource_definition(_DEFINITION)
    except client.ApiException as error:
        if error.status != 409:
            raise


def refused(code: int, reason: str, call: Callable[[], Any]) -> str:
    """The message with which the server refuses a call, with this code and this reason."""
    with pytest.raises(client.ApiException) as caught:
        call()
    body = json.loads(str(caught.value.body))
    assert (caught.value.status, body["reason"]) == (code, reason), body
    return str(body["message"])


def managers(content: Object) -> dict[str, Any]:
    """Who owns what of an object's spec."""
    entries = content["metadata"]["managedFields"]
    return {entry["manager"]: entry["fieldsV1"].get("f:spec", {}) for entry in entries}


class Widgets:
    """The widgets of one namespace."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self._objects: Any = client.CustomObjectsApi(api)
        self._place = (GROUP, VERSION, namespace, PLURAL)

    def served(self) -> bool:
        """Whether the server knows the kind by now."""
        try:
            self.listed()
        except client.ApiException as error:
            return bool(error.status != 404)
        return True

    def create(
        self, name: str = "w", size: int = 1, *, spec: Object | None = None, **metadata: Any
    ) -> Object:
        """A new widget; ``metadata`` may name it otherwise."""
        named = {"name": name, **metadata} if name else metadata
        return self.post({"metadata": named, "spec": {"size": size, **(spec or {})}})

    def post(self, body: Object, **how: Any) -> Object:
        """Create what is given."""
        whole = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Widget", **body}
        made: Object = self._objects.create_namespaced_custom_object(*self._place, whole, **how)
        return made

    def get(self, name: str = "w") -> Object:
        found: Object = self._objects.get_namespaced_custom_object(*self._place, name)
        return found

    def put(self, body: Object, **how: Any) -> Object:
        """Replace a whole object."""
        name = body["metadata"]["name"]
        found: Object = self._objects.replace_namespaced_custom_object(*self._place, name, body, **how)
        return found

    def patch(self, body: Any, name: str = "w", type_: str = MERGE, **how: Any) -> Object:
        found: Object = self._objects.patch_namespaced_custom_object(
            *self._place, name, body, _content_type=type_, **how
        )
        return found

    def patch_status(self, phase: str, name: str = "w") -> Object:
        body = {"status": {"phase": phase}, "spec": {"size": 77}}
        patch = self._objects.patch_namespaced_custom_object_status
        found: Object = patch(*self._place, name, body, _content_type=MERGE)
        return found

    def apply(
        self, spec: Object, manager: str, *, name: str = "w", force: bool = False, **metadata: Any
    ) -> Object:
        """Server-side apply; read again, since the client loses what an apply creates."""
        named = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Widget", "metadata": {"name": name, **metadata}}
        self.patch({**named, "spec": spec}, name, APPLY, field_manager=manager, force=force)
        return self.get(name)

    def delete(self, name: str = "w", **options: Any) -> Object:
        found: Object = self._objects.delete_namespaced_custom_object(
            *self._place, name, body=options or None
        )
        return found

    def listed(self, **query: Any) -> Object:
        found: Object = self._objects.list_namespaced_custom_object(*self._place, **query)
        return found

    def names(self, **query: Any) -> list[str]:
        """The names of a list."""
        return [one["metadata"]["name"] for one in self.listed(**query)["items"]]

    def watch(self, seconds: int = 1, **query: Any) -> Iterator[tuple[str, Object]]:
        """Types and objects of the events until the server ends the watch."""
        call = self._objects.list_namespaced_custom_object
        stream: Any = watch.Watch().stream  # type: ignore[no-untyped-call]
        for event in stream(call, *self._place, timeout_seconds=seconds, **query):
            yield event["type"], event["object"]

    def exists(self, name: str = "w") -> bool:
        return name in self.names()

    def delete_all(self) -> None:
        """Delete all, whatever holds them."""
        for name in self.names():
            self.patch({"metadata": {"finalizers": None}}, name)
            try:
                self.delete(name)
            except client.ApiException as error:
                if error.status != 404:
                    raise
