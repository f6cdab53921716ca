"""The catalogue of workflow types (contracts/runs.rst#catalogue)."""

from typing import Any

from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.types import show
from app.api.v1.types.schemas import TypeActionBody, TypeShape
from app.services import runs as service

types = Family("types", "The catalogue: what can be started, with which input, in which steps.")
PATH = "/v1/workflows/types"


@types.serve("GET", PATH, "listTypes", scope="runs:read")
@types.response(200, TypeShape(many=True), example=[examples.TYPE])
def list_types() -> Answer:
    """Every type of the catalogue."""
    return [show.shown(kind) for kind in service.types(world())]


@types.serve("GET", f"{PATH}/<type_name>", "getType", scope="runs:read")
@types.response(200, TypeShape, example=examples.TYPE)
def get_type(type_name: str) -> Answer:
    """One type with the schema of its input and its steps."""
    return show.shown(service.type_(world(), type_name))


@types.serve("POST", f"{PATH}/<type_name>/actions", "actOnType", scope="admin")
@types.arguments(TypeActionBody, example={"action": "pause", "reason": "image server is down"})
@types.response(200, TypeShape, example={**examples.TYPE, "paused": True})
def act_on_type(body: dict[str, Any], type_name: str) -> Answer:
    """Let no run of a type start a further step, or let them go on."""
    reason = body.get("reason")
    return show.shown(service.type_action(world(), principal(), type_name, body["action"], reason))
