"""From the body of a trigger to what a service of clusters or machines is told."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.api.http import envelope, idempotency
from app.api.http.context import principal, world
from app.domain.ids import new_id
from app.services import inventory, present, runs
from app.services.inventory import Inventory
from app.services.runs import Order
from windlass.decode import camel

Row = dict[str, Any]
Show = Callable[[Row], Row]  # From a row to what an answer says of it.
ABOUT_RUN = ("on_failure", "idempotency_key", "callback_url")
ABOUT_ACTION = (*ABOUT_RUN, "tags")  # The tags of what is made are its own.


def without(body: Mapping[str, object], names: Iterable[str]) -> Row:
    """What a body says besides these members."""
    return {name: value for name, value in body.items() if name not in set(names)}


def options(body: Mapping[str, object], query: Mapping[str, object], names: Iterable[str] = ABOUT_RUN) -> Row:
    """What a request says about its run."""
    said = {name: body[name] for name in names if name in body}
    said.setdefault("idempotency_key", idempotency.run_key())
    return {**said, "on_conflict": query["on_conflict"]}


def spelled(value: object) -> Any:
    """A value as the catalogue and the record spell it: camelCase, however deep."""
    if isinstance(value, Mapping):
        return {camel(name): spelled(inner) for name, inner in value.items()}
    return [spelled(inner) for inner in value] if isinstance(value, list) else value


def of_action(body: Mapping[str, object], query: Mapping[str, object]) -> tuple[Row, Row]:
    """What the body of an action says to the run, and what it says about it."""
    return spelled(without(body, ABOUT_ACTION)), options(body, query, ABOUT_ACTION)


def create(
    kind: Inventory, values: Row, about: Row, query: Mapping[str, object], show: Show
) -> envelope.Answer:
    """Make one more, or tell what that would do."""
    if query["dry_run"]:
        inventory.check_new(world(), kind, values)
        return plan(Order(type=f"{kind.noun}.create", resource_id=new_id(kind.prefix), **about))
    row, run = inventory.create(world(), principal(), kind, values, **about)
    return envelope.accepted(show(row), run)


def act(kind: Inventory, order: Order, query: Mapping[str, object], show: Show) -> envelope.Answer:
    """Do something to one, or tell what that would do."""
    if query["dry_run"]:
        return plan(order)
    row, run = inventory.act(world(), principal(), kind, order)
    return envelope.accepted(show(row), run)


def plan(order: Order) -> envelope.Answer:
    """What a run would do; nothing is stored."""
    return envelope.plain(present.plan_object(runs.preview(world(), principal(), order)))
