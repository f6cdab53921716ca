"""What a step returned and what a replay sees are the same value, byte for byte, on both databases."""

import json
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text as sql

from app.record.runs import doctor
from app.record.session import Tx
from tests.integration.code.flows import DONE, note, unnote
from tests.support.driver import Driver
from windlass import workflow

ODD = {
    "order of keys": {"z": 1, "a": 2, "mm": 3, "b": {"y": 1, "x": 2}},
    "numbers": [1e16, -0.0, 1.2e29, 1.0, 1, 2**70, -(2**63), 0.1, 5e-324, 1.7976931348623157e308, True],
    "text": ["", "é", "e\u0301", "\u2028", "𝒳", '"\\/', "\x7f", " a ", "\r\n\t", "null", "1e16"],
    "": {"": {"": [[], {}, [None]]}},
}
ALONE = [1e16, -0.0, 1.2e29, 2**70, 1.0, "1e16", "null", "", None, False, [], {}, "2026-01-01", -1]
VALUES = [pytest.param(ODD, id="odd"), *(pytest.param(one, id=repr(one)) for one in ALONE)]


def text(value: Any) -> str:
    """A value to the byte."""
    return json.dumps(value)


@workflow("looks-at-values")
def looks_at_values(ctx: Any, given: Any) -> Any:
    seen = [given, ctx.step("odd", lambda: given), ctx.wait_for_signal("odd")]
    seen += ctx.parallel([ctx.call("odd", lambda: given)])
    note(text(seen))
    ctx.sleep("1s")
    note(text(seen))
    return seen


@pytest.mark.parametrize("value", VALUES)
def test_every_pass_sees_the_same_bytes(driver: Driver, value: Any) -> None:
    run_id = driver.trigger(looks_at_values, value)
    driver.signal(run_id, "odd", value)
    assert driver.finish(run_id) == "completed"
    assert set(DONE) == {text([value] * 4)}
    assert text(driver.result(run_id)) == text([value] * 4)


@workflow("does-for-each-key")
def does_for_each_key(ctx: Any) -> Any:
    hosts = ctx.step("inventory", lambda: {"web1": 1, "db1": 2, "app1": 3})
    done = []
    for name in hosts:
        done.append(ctx.step("reboot", lambda name=name: name))
        ctx.sleep("50ms")
    return done


def test_a_loop_over_keys_acts_once_on_each(driver: Driver) -> None:
    run_id = driver.trigger(does_for_each_key)
    assert driver.finish(run_id) == "completed"
    assert driver.result(run_id) == ["web1", "db1", "app1"]


@workflow("passes-values-on")
def passes_values_on(ctx: Any, given: Any) -> Any:
    ctx.emit("odd", given)
    hook = ctx.create_hook("odd", "odd", {"given": given})
    return [hook.metadata["given"], ctx.run_child(gives_back, given), text(given)]


@workflow("gives-back")
def gives_back(ctx: Any, given: Any) -> Any:
    return ctx.step("give", lambda: given)


@pytest.mark.parametrize("value", VALUES)
def test_children_events_and_hooks_carry_the_same_bytes(driver: Driver, value: Any) -> None:
    driver.announce(gives_back)
    run_id = driver.trigger(passes_values_on, value)
    assert driver.finish(run_id) == "completed"
    told = [row["payload"] for row in driver.log(run_id) if row["type"] == "user.event"]
    assert text([told[0]["payload"], *driver.result(run_id)]) == text([value, value, value, text(value)])


def as_jsonb_wrote_it(tx: Tx) -> None:
    """The result of a step as PostgreSQL's JSONB gives it back."""
    tx.execute(sql("""UPDATE step SET output = '{"value": {"a": 2, "z": 1}}' WHERE kind = 'task'"""))


def test_the_doctor_finds_a_run_whose_results_were_rewritten(driver: Driver) -> None:
    driver.judged = False
    run_id = driver.trigger(gives_back, {"z": 1, "a": 2})
    driver.finish(run_id)
    assert driver.db.read(doctor.findings) == []
    driver.db.write(as_jsonb_wrote_it)
    (one,) = driver.db.read(doctor.findings)
    assert (one["invariant"], one["run"]) == ("I17", run_id)
    assert one["what"].startswith("the result of give was rewritten by the database")


def as_before(tx: Tx) -> None:
    """The column of signals as earlier builds made it."""
    if tx.dialect == "postgresql":
        tx.execute(sql("ALTER TABLE signal ALTER COLUMN payload TYPE JSONB USING payload::jsonb"))
    else:
        tx.execute(sql("ALTER TABLE signal DROP COLUMN payload"))
        tx.execute(sql("ALTER TABLE signal ADD COLUMN payload JSON"))


class TakenBack(Exception):
    """The schema stays as it is for other tests."""


def test_the_doctor_finds_columns_that_rewrite_what_they_keep(driver: Driver) -> None:
    with pytest.raises(TakenBack), driver.db.transaction() as tx:
        as_before(tx)
        (one,) = doctor.findings(tx)
        assert (one["invariant"], one["run"]) == ("I17", None)
        assert "signal.payload" in one["what"]
        raise TakenBack


class Color(StrEnum):
    """A type that is equal to its JSON form."""

    RED = "red"


class Paid(NamedTuple):
    """A type that JSON makes a list of."""

    amount: int


def shade(color: Any) -> str:
    return f"{type(color).__name__} {color.value}"


@workflow("paints")
def paints(ctx: Any) -> Any:
    alone = ctx.step("paint", shade, Color.RED)
    return [alone, *ctx.parallel([ctx.call("paint", shade, Color.RED)])]


def test_members_get_their_arguments_in_the_types_that_they_have(driver: Driver) -> None:
    run_id = driver.trigger(paints)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["Color red"] * 2)


@workflow("pays-in-types")
def pays(ctx: Any) -> Any:
    ctx.step("charge", note, Paid(5), undo=unnote)


def test_a_step_whose_undo_would_get_other_types_is_refused(driver: Driver) -> None:
    run_id = driver.trigger(pays)
    assert (driver.finish(run_id), DONE) == ("failed", [])
    told = driver.run(run_id)["error_message"]
    assert "hold a Paid at $.args[0], which comes back as list" in told


@pytest.mark.parametrize("value", [{1: "a", "1": "b"}, {None: 1}, {True: 1}, [{"a": {None: 3}}]])
def test_keys_that_json_would_lose_are_refused(driver: Driver, value: Any) -> None:
    KEYED[:] = [value]
    run_id = driver.trigger(keyed)
    assert driver.finish(run_id) == "failed"
    told = driver.run(run_id)["error_message"]
    assert "the result of step 'give' holds a key that" in told or "two keys that are the same" in told


KEYED: list[Any] = []


@workflow("keyed")
def keyed(ctx: Any) -> Any:
    return ctx.step("give", lambda: KEYED[0])
