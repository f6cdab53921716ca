"""What a body raises is the failure of its step, whatever it is, and how it came to it is kept."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.auth.secrets import REDACTOR
from tests.integration.code.flows import DONE, note, unnote
from tests.support.driver import Driver
from windlass import StepFailed, workflow


async def _fetch() -> None:
    task = asyncio.ensure_future(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


def cancelled() -> None:
    asyncio.run(_fetch())


class Own(BaseException):
    """An author's own, outside of Exception."""


def raises(error: BaseException) -> Any:
    def body() -> None:
        raise error

    return body


BODIES = {
    "asyncio.exceptions:CancelledError": cancelled,
    "builtins:KeyboardInterrupt": raises(KeyboardInterrupt()),
    "builtins:GeneratorExit": raises(GeneratorExit()),
    f"{__name__}:Own": raises(Own()),
}


@workflow("fetches")
def fetches(ctx: Any, type_: str, parallel: bool) -> Any:
    ctx.step("take", note, "slot", undo=unnote)
    try:
        if parallel:
            ctx.parallel([ctx.call("fetch", BODIES[type_])])
        ctx.step("fetch", BODIES[type_], retries=1, retry_delay=0)
    except StepFailed as failed:
        note([failed.key, failed.type][1])
        raise


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("type_", BODIES)
def test_whatever_leaves_a_body_is_its_steps_failure(driver: Driver, type_: str, parallel: bool) -> None:
    run_id = driver.trigger(fetches, type_, parallel)
    assert driver.finish(run_id) == "failed"
    fetch = driver.step(run_id, "fetch")
    assert (fetch["error"]["code"], fetch["error"]["details"]["type"]) == ("STEP_FAILED", type_)
    assert (fetch["attempt"], driver.step(run_id, "main")["lost"]) == (1 if parallel else 2, 0)
    assert ["slot", type_, "undo slot"] == DONE


@workflow("interrupted")
def interrupted(_ctx: Any) -> None:
    raise KeyboardInterrupt


def test_whatever_leaves_the_function_ends_its_run(driver: Driver) -> None:
    run_id = driver.trigger(interrupted)
    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_message"] == "KeyboardInterrupt"


def looks_up(table: dict[str, int]) -> int:
    try:
        return table["x"]
    except KeyError as missing:
        REDACTOR.learn("hunter2-and-more")
        raise ValueError("outer hunter2-and-more") from missing


@workflow("looks-up")
def looks_up_in_vain(ctx: Any, parallel: bool) -> Any:
    if parallel:
        return ctx.parallel([ctx.call("look", looks_up, {})])
    return ctx.step("look", looks_up, {})


@pytest.mark.parametrize("parallel", [False, True])
def test_how_it_came_to_a_failure_is_kept_and_logged_without_secrets(driver: Driver, parallel: bool) -> None:
    with capture_logs() as logs:
        run_id = driver.trigger(looks_up_in_vain, parallel)
        driver.finish(run_id)
    stack = driver.step(run_id, "look")["error"]["details"]["stack"]
    assert "KeyError: 'x'" in stack and "direct cause" in stack and 'return table["x"]' in stack
    assert "in looks_up_in_vain" in driver.step(run_id, "main")["error"]["details"]["stack"]
    told = [one for one in logs if one["event"] == "step.failed"]
    assert told[0]["exception"] == stack
    assert "hunter2" not in str([driver.log(run_id), driver.steps(run_id), driver.run(run_id), told])
