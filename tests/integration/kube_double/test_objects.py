"""Objects: what the server makes of them, what it refuses, and how they end."""

from typing import Any

import pytest
from kubernetes import client

from tests.integration.kube_double.widgets import Widgets, refused
from tests.support.servers import until


def test_a_new_object_gets_what_only_the_server_gives(widgets: Widgets) -> None:
    made = widgets.create("w", labels={"a": "b"})
    metadata = made["metadata"]
    assert (metadata["generation"], metadata["namespace"]) == (1, widgets.namespace)
    assert metadata["uid"] and metadata["creationTimestamp"] and metadata["resourceVersion"]
    assert made["spec"] == {"size": 1, "colour": "grey"}


def test_a_name_is_taken_only_once(widgets: Widgets) -> None:
    widgets.create("w")
    assert "already exists" in refused(409, "AlreadyExists", lambda: widgets.create("w"))


def test_a_name_can_be_made_from_its_beginning(widgets: Widgets) -> None:
    names = {widgets.create("", generateName="w-")["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3 and all(len(name) == 7 for name in names)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-x", "x" * 254])
def test_a_name_must_be_one_of_dns(widgets: Widgets, name: str) -> None:
    refused(422, "Invalid", lambda: widgets.create(name))


@pytest.mark.parametrize(
    "spec", [{"size": -1}, {"size": "big"}, {"colour": "green"}, {"parts": [{"count": 1}]}]
)
def test_what_breaks_the_schema_is_refused(widgets: Widgets, spec: dict[str, Any]) -> None:
    message = refused(422, "Invalid", lambda: widgets.create("w", spec=spec))
    assert f"spec.{next(iter(spec))}" in message


def test_what_the_schema_does_not_know_is_left_out(widgets: Widgets) -> None:
    assert "shape" not in widgets.create("w", spec={"shape": "round"})["spec"]
    strict = {"metadata": {"name": "v"}, "spec": {"size": 1, "shape": "round"}}
    assert "spec.shape" in refused(400, "BadRequest", lambda: widgets.post(strict, field_validation="Strict"))


def test_what_the_schema_leaves_free_is_kept(widgets: Widgets) -> None:
    free = {"a": [1, {"b": None}], "c": {"d": "e"}}
    assert widgets.create("w", spec={"free": free})["spec"]["free"] == free


def test_what_must_not_change_does_not(widgets: Widgets) -> None:
    widgets.create("w", spec={"serial": "1"})
    message = refused(422, "Invalid", lambda: widgets.patch({"spec": {"serial": "2"}}))
    assert "is immutable" in message


def test_a_change_of_the_wish_makes_a_generation_and_others_do_not(widgets: Widgets) -> None:
    widgets.create("w")
    assert widgets.patch({"spec": {"size": 2}})["metadata"]["generation"] == 2
    assert widgets.patch({"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 2
    assert widgets.patch_status("Ready")["metadata"]["generation"] == 2


def test_a_write_that_changes_nothing_makes_no_version(widgets: Widgets) -> None:
    before = widgets.create("w")["metadata"]["resourceVersion"]
    assert widgets.patch({"spec": {"size": 1}})["metadata"]["resourceVersion"] == before


def test_status_and_spec_are_written_apart(widgets: Widgets) -> None:
    widgets.post({"metadata": {"name": "w"}, "spec": {"size": 1}, "status": {"phase": "Early"}})
    assert "status" not in widgets.get()
    assert widgets.patch_status("Ready")["spec"]["size"] == 1
    assert widgets.patch({"status": {"phase": "Other"}})["status"] == {"phase": "Ready"}


def test_an_old_version_is_not_written_over_a_new_one(widgets: Widgets) -> None:
    old = widgets.create("w")
    widgets.patch({"spec": {"size": 2}})
    assert "the object has been modified" in refused(409, "Conflict", lambda: widgets.put(old))
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "spec": {"size": 3}}
    refused(409, "Conflict", lambda: widgets.patch(stale))


def test_a_replacement_must_say_which_version_it_replaces(widgets: Widgets) -> None:
    made = widgets.create("w")
    del made["metadata"]["resourceVersion"]
    refused(422, "Invalid", lambda: widgets.put(made))


def test_a_dry_run_says_what_would_be_and_does_nothing(widgets: Widgets) -> None:
    wanted = {"metadata": {"name": "w"}, "spec": {"size": 1}}
    assert widgets.post(wanted, dry_run="All")["metadata"]["uid"]
    assert not widgets.exists()
    widgets.create("w")
    assert widgets.patch({"spec": {"size": 9}}, dry_run="All")["spec"]["size"] == 9
    assert widgets.get()["spec"]["size"] == 1


def test_a_deletion_waits_for_the_last_finalizer(widgets: Widgets) -> None:
    widgets.create("w", finalizers=["windlass.test/one", "windlass.test/two"])
    assert widgets.delete()["metadata"]["deletionTimestamp"]
    widgets.patch({"metadata": {"finalizers": ["windlass.test/two"]}})
    assert widgets.exists()
    widgets.patch({"metadata": {"finalizers": []}})
    assert not widgets.exists()


def test_what_is_being_deleted_takes_no_new_finalizer(widgets: Widgets) -> None:
    widgets.create("w", finalizers=["windlass.test/one"])
    widgets.delete()
    more = {"metadata": {"finalizers": ["windlass.test/one", "windlass.test/two"]}}
    refused(422, "Invalid", lambda: widgets.patch(more))
    refused(409, "AlreadyExists", lambda: widgets.create("w"))


def test_a_deletion_may_mean_one_very_object(widgets: Widgets) -> None:
    first = widgets.create("w")["metadata"]["uid"]
    widgets.delete()
    widgets.create("w")
    refused(409, "Conflict", lambda: widgets.delete(preconditions={"uid": first}))
    assert widgets.exists()


def test_nothing_is_created_where_there_is_no_namespace(api: client.ApiClient, widgets: Widgets) -> None:
    elsewhere = Widgets(api, "no-such-namespace")
    refused(404, "NotFound", elsewhere.create)


def test_a_namespace_takes_all_that_is_in_it_along(
    api: client.ApiClient, widgets: Widgets, namespace: str
) -> None:
    core: Any = client.CoreV1Api(api)
    widgets.create("w", finalizers=["windlass.test/one"])
    core.delete_namespace(namespace)
    until(lambda: "deletionTimestamp" in widgets.get()["metadata"], why="the widget is being deleted")
    refused(403, "Forbidden", lambda: widgets.create("v"))
    widgets.patch({"metadata": {"finalizers": None}})
    until(lambda: namespace not in _namespaces(core), 60, "the namespace is gone")


def _namespaces(core: Any) -> set[str]:
    return {one.metadata.name for one in core.list_namespace().items}
