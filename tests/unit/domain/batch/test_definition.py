"""Definitions: what is read, what is refused, and which member a refusal names."""

from time import process_time
from typing import Any

import pytest

from app.domain.batch.definition import BatchDefinition, InvalidDefinition, Rehearsal, parse
from tests.unit.domain.batch.cases import BAD, EXAMPLE, FIRST, GOOD, POOLED, SECOND, changed

Document = dict[str, Any]


def refusal(document: Any) -> InvalidDefinition:
    """Why a definition is refused."""
    with pytest.raises(InvalidDefinition) as caught:
        parse(document)
    return caught.value


def test_the_example_is_read() -> None:
    made = parse(EXAMPLE)

    assert (made.name, made.parallel_limit, made.storage_backend) == (
        "multi_cloud_deployment",
        5,
        "surrealdb",
    )
    assert [one.name for one in made.operations[0].server_configs] == ["web-01", "web-02"]
    assert made.operations[1].dependencies[0].type == "hard"
    assert made.operations[1].on_failure == "rollback"


@pytest.mark.parametrize("name", GOOD)
def test_a_definition_comes_back_from_what_is_stored(name: str) -> None:
    made = parse(GOOD[name])

    assert isinstance(made, BatchDefinition)
    assert parse(made.document()) == made


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name: str) -> None:
    document, member = BAD[name]

    found = refusal(document)

    assert (found.code, found.status) == ("INVALID_DEFINITION", 422)
    assert member in found.details["fields"]


@pytest.mark.parametrize(
    ("code", "document", "details"),
    [
        ("UNKNOWN_PROVIDER", changed(f"{FIRST}.provider", "azure"), {"value": "azure"}),
        ("UNKNOWN_OPERATION_TYPE", changed(f"{FIRST}.type", "disk_batch"), {"value": "disk_batch"}),
        ("DUPLICATE_OPERATION", changed(f"{SECOND}.id", "upcloud_servers"), {"operation": "upcloud_servers"}),
        ("UNKNOWN_DEPENDENCY", changed(f"{SECOND}.dependencies", ["servers"]), {"dependency": "servers"}),
        ("DEPENDENCY_CYCLE", changed(f"{FIRST}.dependencies", ["aws_taskservs"]), {}),
        ("NO_TARGETS", changed(f"{SECOND}.dependencies", []), {"operation": "aws_taskservs"}),
        ("DUPLICATE_ITEM", changed(f"{FIRST}.server_configs.1.name", "web-01"), {"item": "web-01"}),
        ("LIMIT_EXCEEDED", changed("operations", [{}] * 10_001), {"limit": "operations", "maximum": 10_000}),
    ],
)
def test_each_kind_of_refusal_has_a_code(code: str, document: Document, details: Document) -> None:
    found = refusal(document)

    assert (found.code, found.status) == (code, 422)
    assert details.items() <= found.details.items()


def test_a_cycle_is_named_in_its_order() -> None:
    assert refusal(changed(f"{FIRST}.dependencies", ["aws_taskservs"])).details["cycle"] == [
        "upcloud_servers",
        "aws_taskservs",
    ]


def test_an_absent_optional_dependency_is_no_mistake() -> None:
    absent = {"id": "backup", "type": "optional"}

    made = parse(changed(f"{FIRST}.dependencies", [absent]))

    assert made.operations[0].dependencies[0].condition == "finished"


def test_depends_on_means_dependencies_and_only_one_is_given() -> None:
    both = refusal(changed(f"{SECOND}.depends_on", ["upcloud_servers"]))
    alone = changed(f"{SECOND}.dependencies", removed=True)
    alone["operations"][1]["depends_on"] = ["upcloud_servers"]

    assert "operations[1].depends_on" in both.details["fields"]
    assert parse(alone) == parse(EXAMPLE)


def test_numbers_of_nickel_may_have_a_point() -> None:
    assert parse(changed("parallel_limit", 3.0)).parallel_limit == 3


def test_faults_are_played_by_local_servers_alone() -> None:
    rehearsal = {"fail_attempts": 2, "permanent": True}
    cloud = changed(f"{FIRST}.server_configs.0.rehearsal", rehearsal)
    local = changed(f"{FIRST}.server_configs.0.rehearsal", rehearsal)
    local["operations"][0]["provider"] = "local"

    assert "operations[0].server_configs[0].rehearsal" in refusal(cloud).details["fields"]
    found = parse(local).operations[0].server_configs[0].rehearsal
    assert found == Rehearsal(fail_attempts=2, permanent=True)


def pooled(**changes: Any) -> Document:
    """One operation that takes a server of a pool."""
    config = {**POOLED["server_configs"][0], **changes}
    return changed("operations", [{**POOLED, "server_configs": [config]}])


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"plan": "pool/"}, "plan"),
        ({"plan": "small"}, "image"),
        ({"image": None}, "image"),
        ({"rehearsal": {"fail_attempts": 1}}, "rehearsal"),
    ],
)
def test_a_server_of_a_pool_has_a_pool_an_image_and_no_rehearsal(changes: Document, member: str) -> None:
    assert f"operations[0].server_configs[0].{member}" in refusal(pooled(**changes)).details["fields"]


def test_a_server_of_a_pool_cannot_be_without_its_image() -> None:
    document = pooled()
    del document["operations"][0]["server_configs"][0]["image"]

    assert "operations[0].server_configs[0].image" in refusal(document).details["fields"]


def test_clouds_have_no_servers_of_pools() -> None:
    document = pooled()
    document["operations"][0]["provider"] = "aws"

    assert "operations[0].server_configs[0].plan" in refusal(document).details["fields"]


def test_an_installation_has_two_hours_unless_told() -> None:
    assert parse(pooled()).operations[0].timeout_s == 7_200
    assert parse(EXAMPLE).operations[0].timeout_s == 300


def test_taskservs_are_not_installed_on_servers_of_pools() -> None:
    document = pooled()
    taskservs = {"id": "k8s", "type": "taskserv_batch", "provider": "local"}
    document["operations"].append({**taskservs, "taskservs": ["containerd"], "dependencies": ["db"]})

    assert "db-01" in refusal(document).details["fields"]["operations[1].targets"]


def test_what_is_nested_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(40):
        deep = [deep]

    found = refusal(changed("metadata", {"deep": deep}))

    assert (found.code, found.details["maximum"]) == ("LIMIT_EXCEEDED", 32)


@pytest.mark.parametrize("document", [None, 1, [], "batch"])
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert refusal(document).code == "INVALID_DEFINITION"


def test_the_words_of_the_service_are_no_ids() -> None:
    assert "operations[0].id" in refusal(changed(f"{FIRST}.id", "stats")).details["fields"]


def test_a_name_that_comes_twice_among_very_many_is_found_in_one_walk() -> None:
    names = [f"op{number}" for number in range(50_000)]
    began = process_time()

    found = refusal(changed("only", [*names, names[-1]]))

    assert "Names op49999 more than once" in found.message
    assert process_time() - began < 5  # Compared with one another, they took a minute.
