"""On which servers taskservs are installed, and the names of items."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.batch import targets, words
from app.domain.batch.definition import InvalidDefinition, parse
from app.domain.batch.operation import Dependency, Operation, ServerConfig
from tests.unit.domain.batch.cases import EXAMPLE


def servers(name: str, provider: str, *names: str, needs: tuple[str, ...] = ()) -> Operation:
    """An operation that makes servers."""
    return Operation(
        id=name,
        type="server_batch",
        provider=provider,
        dependencies=tuple(Dependency(id=one) for one in needs),
        server_configs=tuple(ServerConfig(name=one, plan="small", zone="here") for one in names),
    )


def installs(provider: str, *needs: str, on: tuple[str, ...] = ()) -> Operation:
    """An operation that installs containerd."""
    return Operation(
        id="install",
        type="taskserv_batch",
        provider=provider,
        dependencies=tuple(Dependency(id=one) for one in needs),
        taskservs=("containerd",),
        targets=on,
    )


def names(*operations: Operation) -> list[str]:
    """The servers of the operation that installs."""
    return [one.server for one in targets.of(operations)["install"].servers]


def test_the_example_puts_three_taskservs_on_two_servers_and_says_why() -> None:
    operations = parse(EXAMPLE).operations

    found = targets.of(operations)["aws_taskservs"]

    assert len(targets.item_names(operations[1], found)) == 6
    assert targets.item_names(operations[1], found)[0] == "kubernetes@web-01"
    assert "no operation before it makes servers at aws" in str(found.warning)


def test_servers_of_the_own_provider_are_found_however_far() -> None:
    first = servers("far", "aws", "a-1")
    between = servers("near", "upcloud", "u-1", needs=("far",))

    assert names(first, between, installs("aws", "near")) == ["a-1"]
    assert names(first, between, installs("local", "near")) == ["u-1"]


def test_targets_that_are_given_are_the_only_ones() -> None:
    made = servers("made", "aws", "a-1", "a-2")

    assert names(made, installs("aws", "made", on=("a-2",))) == ["a-2"]
    assert names(made, installs("aws", "made", on=("made",))) == ["a-1", "a-2"]
    assert names(made, installs("aws", on=("elsewhere",))) == ["elsewhere"]


def test_a_server_that_may_not_be_there_yet_is_no_target() -> None:
    with pytest.raises(InvalidDefinition, match="a-1 is made by made, on which install does not depend"):
        names(servers("made", "aws", "a-1"), installs("aws", on=("a-1",)))


def test_a_taskserv_has_one_operation_on_each_server() -> None:
    made = servers("made", "aws", "a-1")
    one = installs("aws", "made")

    with pytest.raises(InvalidDefinition) as caught:
        targets.check([made, one, replace(one, id="again")])

    assert caught.value.details["item"] == "containerd@a-1"


def test_the_same_name_at_two_providers_is_two_servers() -> None:
    targets.check([servers("here", "aws", "web"), servers("there", "upcloud", "web")])


def test_the_items_of_a_batch_are_limited() -> None:
    many = [servers(f"op-{at}", "aws", *(f"s-{at}-{n}" for n in range(9_999))) for at in range(6)]

    with pytest.raises(InvalidDefinition) as caught:
        targets.check(many)

    assert (caught.value.code, caught.value.details["maximum"]) == ("LIMIT_EXCEEDED", 50_000)


def test_the_targets_of_an_operation_make_no_more_items_than_an_operation_may_have() -> None:
    there = tuple(f"h{number}" for number in range(words.MOST_ITEMS_OF_OPERATION + 1))

    with pytest.raises(InvalidDefinition) as refused:
        targets.check([installs("local", on=there)])

    assert (refused.value.code, refused.value.details["limit"]) == (
        "LIMIT_EXCEEDED",
        "items of operations[0]",
    )


def test_items_beyond_the_limit_of_a_batch_are_not_made_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_ITEMS", 100)
    made = servers("made", "local", *(f"h{number}" for number in range(40)))
    many = [replace(installs("local", "made"), id=f"install-{number}") for number in range(1_000)]
    asked: list[object] = []
    real = targets.Target

    def noted(*given: Any) -> Any:
        asked.append(given)
        return real(*given)

    monkeypatch.setattr(targets, "Target", noted)

    with pytest.raises(InvalidDefinition) as refused:
        targets.check([made, *many])

    assert (refused.value.code, refused.value.details["limit"]) == ("LIMIT_EXCEEDED", "items of the batch")
    assert len(asked) < 200
