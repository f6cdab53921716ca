"""The workflow types of the benchmark: a line of five steps, and a fan-out with a join."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from app.domain.plan import Plan, each
from chains.catalogue import workflow
from tasks.step import step
from tests.bench import body

STEPS = 5


@step()
def work(ctx: Any, place: int, ms: int) -> None:
    """One step; how long it lasts comes with the run, so that a no-op takes the path of every other step."""
    body.work(ctx.run_id, place, ms)


@step(gives="seen")
def visit(ctx: Any, item: int) -> dict[str, int]:
    """One member of the fan-out."""
    body.work(ctx.run_id, item, 0)
    return {"seen": item}


class Line(Schema):
    """Input of a line."""

    ms = fields.Integer(load_default=0)


class Fan(Schema):
    """Input of a fan-out."""

    items = fields.List(fields.Integer(), required=True)
    ms = fields.Integer(load_default=0)


@workflow("bench.line", scope="runs:write", expects=Line)
def line(_given: Mapping[str, Any]) -> Plan:
    """Five steps in a row."""
    return work(place=1) | work(place=2) | work(place=3) | work(place=4) | work(place=5)


@workflow("bench.fan", scope="runs:write", expects=Fan)
def fan(_given: Mapping[str, Any]) -> Plan:
    """One visit for each item, and a step after all of them."""
    return each("items", "item", visit(), gives="seen_all") | work(place=0)
