"""Odd texts in a running code workflow: each comes back as it is from wherever it went, or is refused."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.corpus import TEXTS
from tests.integration.code.flows import note
from tests.support.driver import Driver
from windlass import workflow

UNSTORABLE = ("nul", "half a pair", "pairs the wrong way round")
KEPT = {name: text for name, text in TEXTS.items() if name not in UNSTORABLE}


class Odd(Exception):
    """An error with an odd text."""


def fails_with(text: str) -> None:
    """A step that raises it."""
    raise Odd(text)


@workflow("told-back")
def told_back(ctx: Any, text: str) -> Any:
    return {f"{text}.": text}


@workflow("odd-texts")
def odd_texts(ctx: Any, text: str) -> Any:
    seen = [text, ctx.step("result", lambda: text), *ctx.step("name", lambda: {f"{text}.": 1})]
    seen += ctx.parallel([ctx.call("closure", lambda: text), ctx.call("note", note, text)])
    seen += ctx.run_child(told_back, text).popitem()
    seen.append(ctx.create_hook("odd", "act", {"said": text}).metadata["said"])
    ctx.emit("odd", text)
    seen.append(ctx.wait_for_signal("odd"))
    try:
        ctx.step("error", fails_with, text)
    except Odd as error:
        seen.append(str(error))
    ctx.sleep("1s")
    return [one.removesuffix(text) for one in seen]  # All of them would be too long to be kept.


@pytest.mark.parametrize("name", KEPT)
def test_a_text_comes_back_as_it_is_from_wherever_it_went(driver: Driver, name: str) -> None:
    text = KEPT[name]
    driver.announce(told_back)
    run_id = driver.trigger(odd_texts, text)
    driver.signal(run_id, "odd", text)
    assert driver.finish(run_id) == "completed"
    *seen, error = driver.result(run_id)
    assert [one for one in seen if one] == [f"{text}."] * 2 and len(seen) == 9
    assert error == "" or (len(text) > 300 and error == text[: len(error)])


@workflow("unstorable-texts")
def unstorable_texts(ctx: Any, name: str) -> Any:
    text, refused = TEXTS[name], []
    makes: dict[str, Callable[[], Any]] = {"value": lambda: text, "name": lambda: {text: 1}}
    for place, make in makes.items():
        try:
            ctx.step(place, make)
        except Exception as error:
            refused.append(type(error).__name__)
    waits: list[Callable[[], Any]] = [
        lambda: ctx.emit("odd", text),
        lambda: ctx.create_hook("odd", "act", {"said": text}),
    ]
    for wait in waits:
        try:
            wait()
        except Exception as error:
            refused.append(type(error).__name__)
    try:
        ctx.step("error", fails_with, text)
    except Odd as error:
        refused.append(str(error))
    return refused


@pytest.mark.parametrize("name", UNSTORABLE)
def test_a_text_that_cannot_be_stored_is_refused_where_it_is_given(driver: Driver, name: str) -> None:
    run_id = driver.trigger(unstorable_texts, name)
    assert driver.finish(run_id) == "completed", driver.run(run_id)["error_message"]
    *refused, error = driver.result(run_id)
    assert refused == ["ResultRefused", "ResultRefused", "NotStorable", "NotStorable"]
    assert error == re.sub("[\0\ud800-\udfff]", "\ufffd", TEXTS[name])
