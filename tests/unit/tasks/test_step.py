"""Declaring steps: names make the wiring, and what is wrong is refused at once."""

from typing import Any

import pytest

from app.domain.errors import Permanent, PlanError
from tasks import server
from tasks.step import REGISTRY, call, operation, parameters, result_of, step


def test_a_step_is_registered_under_its_module_and_name() -> None:
    assert REGISTRY["server.boot_from"] is server.boot_from
    assert server.boot_from.spec.title == "boot-from"


def test_parameters_without_a_default_are_needed() -> None:
    def body(ctx: Any, server_id: str, mode: str = "soft") -> None: ...

    assert parameters(body) == (("server_id",), ("server_id", "mode"))


def test_an_undo_may_not_need_what_only_its_own_step_gives() -> None:
    @step(gives="lease")
    def lend(ctx: Any) -> dict[str, Any]:
        return {"lease": 1}

    with pytest.raises(PlanError, match="default for lease"):

        @lend.undo
        def give_back(ctx: Any, lease: Any) -> None: ...


def test_a_body_gets_the_values_that_it_asks_for_and_no_others() -> None:
    def body(ctx: Any, b: int, c: int = 3) -> tuple[int, int]:
        return b, c

    assert call(body, None, {"a": 1, "b": 2}) == (2, 3)


def test_a_value_that_the_run_does_not_have_is_a_permanent_failure() -> None:
    def body(ctx: Any, b: int) -> None: ...

    with pytest.raises(Permanent, match="body needs b"):
        call(body, None, {})


@pytest.mark.parametrize(("value", "problem"), [([1], "returned list"), ({"other": 1}, "promised lease")])
def test_a_result_must_be_what_was_promised(value: Any, problem: str) -> None:
    @step(gives="lease")
    def borrow(ctx: Any) -> dict[str, Any]:
        return {"lease": 1}

    with pytest.raises(Permanent, match=problem):
        result_of(borrow.spec, value)


def test_an_operation_that_can_be_aborted_has_a_way_back() -> None:
    @operation(timeout="1h")
    def burn_in(ctx: Any) -> None: ...

    assert not burn_in.spec.undoable

    @burn_in.abort
    def stop(ctx: Any) -> None: ...

    assert burn_in.spec.undoable
