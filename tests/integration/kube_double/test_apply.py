"""Server-side apply: owners of fields, conflicts, and what is given up."""

from tests.integration.kube_double.widgets import APPLY, Widgets, managers, refused


def test_an_apply_creates_what_is_not_there(widgets: Widgets) -> None:
    made = widgets.apply({"size": 1}, "ours")
    assert made["metadata"]["generation"] == 1
    assert managers(made)["ours"] == {"f:size": {}}


def test_the_same_apply_again_changes_nothing(widgets: Widgets) -> None:
    first, second = (widgets.apply({"size": 1, "free": {"a": 1}}, "ours") for _ in range(2))
    assert first == second


def test_an_apply_needs_a_manager(widgets: Widgets) -> None:
    body = {
        "apiVersion": "windlass.test/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": 1},
    }
    assert "fieldManager" in refused(400, "BadRequest", lambda: widgets.patch(body, type_=APPLY))


def test_what_is_no_longer_applied_goes(widgets: Widgets) -> None:
    widgets.apply({"size": 1, "free": {"a": 1, "b": 2}}, "ours", labels={"x": "1", "y": "2"})
    after = widgets.apply({"size": 1, "free": {"a": 1}}, "ours", labels={"x": "1"})
    assert (after["spec"]["free"], after["metadata"]["labels"]) == ({"a": 1}, {"x": "1"})


def test_two_managers_share_an_object(widgets: Widgets) -> None:
    widgets.apply({"size": 1, "free": {"ours": 1}}, "ours")
    widgets.apply({"size": 1, "free": {"theirs": 1}}, "theirs")
    after = widgets.apply({"size": 1}, "ours")
    assert after["spec"]["free"] == {"theirs": 1}


def test_anothers_value_is_taken_only_by_force(widgets: Widgets) -> None:
    widgets.apply({"size": 1}, "ours")
    message = refused(409, "Conflict", lambda: widgets.apply({"size": 2}, "theirs"))
    assert message == 'Apply failed with 1 conflict: conflict with "ours": .spec.size'
    after = widgets.apply({"size": 2}, "theirs", force=True)
    assert after["spec"]["size"] == 2 and "ours" not in managers(after)


def test_the_same_value_belongs_to_both(widgets: Widgets) -> None:
    widgets.apply({"size": 1}, "ours")
    both = managers(widgets.apply({"size": 1}, "theirs"))
    assert both["ours"] == both["theirs"] == {"f:size": {}}
    assert widgets.apply({"size": 1}, "ours", labels={"a": "b"})["spec"]["size"] == 1


def test_a_plain_write_takes_what_it_changes(widgets: Widgets) -> None:
    widgets.apply({"size": 1, "free": {"a": 1}}, "ours")
    after = widgets.patch({"spec": {"size": 5}}, field_manager="somebody")
    assert managers(after) == {"ours": {"f:free": {"f:a": {}}}, "somebody": {"f:size": {}}}
    message = refused(409, "Conflict", lambda: widgets.apply({"size": 1}, "ours"))
    assert 'conflict with "somebody" using windlass.test/v1' in message


def test_items_of_a_list_with_keys_have_owners_of_their_own(widgets: Widgets) -> None:
    widgets.apply({"size": 1, "parts": [{"name": "a", "count": 1}]}, "ours")
    widgets.apply({"size": 1, "parts": [{"name": "b", "count": 2}]}, "theirs")
    assert [part["name"] for part in widgets.get()["spec"]["parts"]] == ["a", "b"]
    after = widgets.apply({"size": 1}, "ours")
    assert after["spec"]["parts"] == [{"name": "b", "count": 2}]


def test_a_list_without_keys_belongs_to_one(widgets: Widgets) -> None:
    widgets.apply({"size": 1, "free": {"list": [1]}}, "ours")
    refused(409, "Conflict", lambda: widgets.apply({"size": 1, "free": {"list": [2]}}, "theirs"))


def test_an_apply_for_an_object_that_is_gone_makes_no_other(widgets: Widgets) -> None:
    uid = widgets.create("w")["metadata"]["uid"]
    widgets.delete()
    refused(409, "Conflict", lambda: widgets.apply({"size": 1}, "ours", uid=uid))
    assert not widgets.exists()
