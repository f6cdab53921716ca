"""Secrets of code workflows: nowhere in clear, whichever run they travel to."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.errors import ValidationFailed
from app.record.tables import event, run, step
from tests.support.driver import Driver
from windlass import Secret, workflow

TEXT = "canary-Xq7"


def told(secret: Secret) -> int:
    return len(secret.reveal())


def taken(secret: Secret) -> Secret:
    return secret


@workflow("keeps", secrets=("password",))
def keeps(ctx: Any, password: Secret) -> Any:
    return [ctx.step("told", told, password), ctx.step("taken", taken, password)]


@workflow("hands-on")
def hands_on(ctx: Any, again: bool) -> Any:
    mine = ctx.step("made", lambda: Secret(TEXT))
    length, back = ctx.run_child(keeps, TEXT if again else mine)
    return [length, back.reveal() == TEXT]


@workflow("begins-again", secrets=("password",))
def begins_again(ctx: Any, place: int, password: Secret) -> Any:
    if place:
        return told(password)
    ctx.restart(1, password=password.reveal())


@workflow("mistypes")
def mistypes(ctx: Any) -> Any:
    return ctx.run_child(keeps, passwort=TEXT)


def everything(driver: Driver) -> str:
    """All that is recorded of all runs."""
    with driver.db.transaction() as tx:
        return json.dumps([tx.rows(select(one)) for one in (run, step, event)], default=str)


def test_a_secret_reaches_a_child_and_comes_back(driver: Driver) -> None:
    driver.trigger(keeps, {"$secret": driver.capabilities.seal(TEXT)})
    for again in (False, True):
        run_id = driver.trigger(hands_on, again)
        assert driver.finish(run_id) == "completed"
        assert driver.result(run_id) == [len(TEXT), True]
    assert TEXT not in everything(driver)


def test_a_run_that_begins_again_keeps_its_secret(driver: Driver) -> None:
    run_id = driver.trigger(begins_again, 0, {"$secret": driver.capabilities.seal(TEXT)})
    driver.finish(run_id)
    following = (driver.run(run_id)["output"] or {})["restartedAs"]
    assert driver.result(following) == len(TEXT)
    assert TEXT not in everything(driver)


def test_a_secret_whose_name_is_mistyped_is_refused_and_not_stored(driver: Driver) -> None:
    driver.cancel(driver.trigger(keeps, {"$secret": driver.capabilities.seal("other")}))  # It is known now.
    run_id = driver.trigger(mistypes)
    assert driver.finish(run_id) == "failed"
    assert "has no parameter 'passwort'; there are password" in driver.run(run_id)["error_message"]
    assert TEXT not in everything(driver)


def test_a_retry_with_a_secret_whose_name_is_mistyped_is_refused(driver: Driver) -> None:
    run_id = driver.trigger(keeps, {"$secret": driver.capabilities.seal("other")})
    driver.cancel(run_id)
    with pytest.raises(ValidationFailed, match="no parameter 'passwort'"):
        driver.retry(run_id, edited={"kwargs": {"passwort": TEXT}}, seal=driver.capabilities.seal)
    assert TEXT not in everything(driver)
