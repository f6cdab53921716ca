"""From the body of a trigger to what the service is told, and back to its answer."""

from collections.abc import Mapping
from typing import Any

from app.api.http import envelope, idempotency
from app.api.http.context import principal, world
from app.api.v1.servers import show
from app.domain.ids import new_id
from app.domain.rows.runs import RunRow
from app.services import present, runs
from app.services import servers as service
from app.services.runs import Order
from windlass.decode import camel

Row = dict[str, object]
ABOUT_RUN = ("on_failure", "idempotency_key", "callback_url")
ABOUT_ACTION = (*ABOUT_RUN, "tags")  # The tags of a registration are the machine's own.


def machine(body: Mapping[str, object]) -> Row:
    """What a registration says about the machine."""
    return {name: value for name, value in body.items() if name not in ABOUT_RUN}


def given(body: Mapping[str, object]) -> Row:
    """What an action is given: the input of its run, as the catalogue spells it."""
    values = {name: value for name, value in body.items() if name not in ABOUT_ACTION}
    if values.pop("force", False):
        values.setdefault("mode", "hard")
    return {camel(name): _spelled(value) for name, value in values.items()}


def options(body: Mapping[str, object], query: Mapping[str, object] | None = None) -> Row:
    """What a registration says about its run."""
    return _options(body, query, ABOUT_RUN)


def action_options(body: Mapping[str, object], query: Mapping[str, object] | None = None) -> Row:
    """What an action says about its run."""
    return _options(body, query, ABOUT_ACTION)


def registration_plan(body: Mapping[str, Any], said: Mapping[str, Any]) -> envelope.Answer:
    """The plan of a registration; nothing is stored, so the machine's id is a passing one."""
    service.bmc_address(world(), body["bmc_address"], body["protocol"])
    order = Order(type="server.register", resource_id=new_id("srv"), **said)
    return envelope.plain(present.plan_object(runs.preview(world(), principal(), order)))


def action_plan(
    server_id: str, action: str, values: Mapping[str, object], said: Mapping[str, object]
) -> envelope.Answer:
    """The plan of an action on a server; nothing is stored."""
    order = service.order_of(server_id, action, values, **said)
    return envelope.plain(present.plan_object(runs.preview(world(), principal(), order)))


def accepted(started: tuple[Row, RunRow]) -> envelope.Headed:
    """202 with the server in its transitional state and the run to follow."""
    server, run = started
    return envelope.accepted(show.shown(server), run)


def _options(body: Mapping[str, object], query: Mapping[str, object] | None, names: tuple[str, ...]) -> Row:
    said = {name: body[name] for name in names if name in body}
    said.setdefault("idempotency_key", idempotency.run_key())
    return {**said, "on_conflict": query["on_conflict"]} if query else said


def _spelled(value: object) -> object:
    return {camel(name): inner for name, inner in value.items()} if isinstance(value, dict) else value
