"""From the body of a trigger to what a service of clusters or machines is told."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.api import envelope, idempotency
from app.api.context import principal, world
from app.api.shapes import camel
from app.services import present, runs
from app.services.runs import Order

Row = dict[str, Any]
ABOUT_RUN = ("on_failure", "idempotency_key", "callback_url")
ABOUT_ACTION = (*ABOUT_RUN, "tags")  # The tags of what is made are its own.


def without(body: Mapping[str, Any], names: Iterable[str]) -> Row:
    """What a body says besides these members."""
    return {name: value for name, value in body.items() if name not in set(names)}


def options(body: Mapping[str, Any], query: Mapping[str, Any], names: Iterable[str] = ABOUT_RUN) -> Row:
    """What a request says about its run."""
    said = {name: body[name] for name in names if name in body}
    said.setdefault("idempotency_key", idempotency.run_key())
    return {**said, "on_conflict": query["on_conflict"]}


def spelled(value: Any) -> Any:
    """A value as the catalogue and the record spell it: camelCase, however deep."""
    if isinstance(value, Mapping):
        return {camel(name): spelled(inner) for name, inner in value.items()}
    return [spelled(inner) for inner in value] if isinstance(value, list) else value


def plan(order: Order) -> Any:
    """What a run would do; nothing is stored."""
    return envelope.plain(present.plan_object(runs.preview(world(), principal(), order)))
