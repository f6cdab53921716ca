"""Watches: what has happened is told once, in order, from where the client left off."""

from typing import Any

from kubernetes import client

from tests.integration.kube_double.widgets import Widgets


def told(widgets: Widgets, **query: Any) -> list[tuple[str, str]]:
    """Types and names of what a watch of a second tells, without bookmarks."""
    events = widgets.watch(**query)
    return [(type_, content["metadata"]["name"]) for type_, content in events if type_ != "BOOKMARK"]


def test_a_watch_resumes_exactly_after_a_version(widgets: Widgets) -> None:
    widgets.create("a")
    version = widgets.create("b")["metadata"]["resourceVersion"]
    widgets.patch({"spec": {"size": 2}}, "a")
    widgets.delete("b")
    assert told(widgets, resource_version=version) == [("MODIFIED", "a"), ("DELETED", "b")]


def test_a_watch_from_nowhere_tells_what_is_there_first(widgets: Widgets) -> None:
    widgets.create("a")
    widgets.create("b")
    assert told(widgets) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_finalizer_makes_a_deletion_two_events(widgets: Widgets) -> None:
    made = widgets.create("w", finalizers=["windlass.test/one"])
    widgets.delete()
    widgets.patch({"metadata": {"finalizers": None}})
    events = list(widgets.watch(resource_version=made["metadata"]["resourceVersion"]))
    assert [type_ for type_, _ in events] == ["MODIFIED", "DELETED"]
    versions = [int(content["metadata"]["resourceVersion"]) for _, content in events]
    assert versions == sorted(versions) and "deletionTimestamp" in events[0][1]["metadata"]


def test_what_enters_a_selection_is_added_and_what_leaves_it_deleted(widgets: Widgets) -> None:
    version = widgets.create("w")["metadata"]["resourceVersion"]
    for label in ("yes", "yes", None):
        widgets.patch({"metadata": {"labels": {"chosen": label}}, "spec": {"size": 2 if label else 3}})
    widgets.patch({"spec": {"size": 4}})
    chosen = told(widgets, resource_version=version, label_selector="chosen=yes")
    assert chosen == [("ADDED", "w"), ("DELETED", "w")]


def test_bookmarks_come_only_when_asked_for(widgets: Widgets) -> None:
    version = widgets.create("w")["metadata"]["resourceVersion"]
    assert list(widgets.watch(resource_version=version)) == []
    marks = list(widgets.watch(3, resource_version=version, allow_watch_bookmarks=True))
    assert marks and {type_ for type_, _ in marks} == {"BOOKMARK"}
    assert int(marks[-1][1]["metadata"]["resourceVersion"]) >= int(version)


def test_a_watch_of_all_namespaces_sees_this_one(api: client.ApiClient, widgets: Widgets) -> None:
    made = widgets.create("w")
    objects: Any = client.CustomObjectsApi(api)
    everywhere = objects.list_cluster_custom_object("windlass.test", "v1", "widgets")
    assert made in everywhere["items"]
