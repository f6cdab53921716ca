"""What is owned dies with its owner, and only then."""

from typing import Any

from tests.integration.kube_double.widgets import GROUP, VERSION, Widgets
from tests.support.servers import until


def owned_by(owner: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The reference to an owner."""
    metadata = owner["metadata"]
    named = {"name": metadata["name"], "uid": metadata["uid"], **more}
    return [{"apiVersion": f"{GROUP}/{VERSION}", "kind": "Widget", **named}]


def test_what_is_owned_goes_with_its_owner(widgets: Widgets) -> None:
    owner = widgets.create("owner")
    widgets.create("owned", ownerReferences=owned_by(owner))
    widgets.delete("owner")
    until(lambda: not widgets.names(), 60, "both are gone")


def test_the_owner_goes_last_in_the_foreground(widgets: Widgets) -> None:
    owner = widgets.create("owner")
    blocking = owned_by(owner, blockOwnerDeletion=True)
    widgets.create("owned", ownerReferences=blocking, finalizers=["windlass.test/one"])
    widgets.delete("owner", propagationPolicy="Foreground")
    until(
        lambda: "deletionTimestamp" in widgets.get("owned")["metadata"], 60, "the owned one is being deleted"
    )
    assert widgets.get("owner")["metadata"]["finalizers"] == ["foregroundDeletion"]
    widgets.patch({"metadata": {"finalizers": None}}, "owned")
    until(lambda: not widgets.names(), 60, "both are gone")


def test_what_is_orphaned_stays(widgets: Widgets) -> None:
    owner = widgets.create("owner")
    widgets.create("owned", ownerReferences=owned_by(owner))
    widgets.delete("owner", propagationPolicy="Orphan")
    until(lambda: widgets.names() == ["owned"], 60, "the owner is gone")
    assert not widgets.get("owned")["metadata"].get("ownerReferences")


def test_what_is_owned_by_nobody_that_exists_goes(widgets: Widgets) -> None:
    owner = widgets.create("owner")
    widgets.delete("owner")
    widgets.create("owned", ownerReferences=owned_by(owner))
    until(lambda: not widgets.names(), 60, "it is gone")


def test_another_object_of_the_owners_name_is_no_owner(widgets: Widgets) -> None:
    first = widgets.create("owner")
    widgets.delete("owner")
    second = widgets.create("owner")
    widgets.create("theirs", ownerReferences=owned_by(first))
    widgets.create("ours", ownerReferences=owned_by(second))
    until(lambda: widgets.names() == ["ours", "owner"], 60, "only what belongs to the first one is gone")
