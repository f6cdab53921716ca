"""Views of the list of runs that people saved; each sees his own."""

from typing import Any

from flask import Response

from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.saved_views.schemas import ViewBody, ViewShape
from app.services import saved_views as service

saved_views = Family("saved views", "Filters of the list of runs that one has given a name.")


@saved_views.serve("GET", "/v1/views", "listViews", scope="runs:read")
@saved_views.response(200, ViewShape(many=True), example=[examples.VIEW])
def list_views() -> Answer:
    """The views of whoever asks, by name."""
    return service.list_(world(), principal())


@saved_views.serve("POST", "/v1/views", "saveView", scope="runs:read", errors=(409,))
@saved_views.arguments(ViewBody, example={"name": "failed", "query": "status=failed"})
@saved_views.response(201, ViewShape, example=examples.VIEW)
def save_view(body: dict[str, Any]) -> Answer:
    """Keep filters under a name; a view of that name is replaced."""
    return service.save(world(), principal(), body["name"], body["query"]), 201


@saved_views.serve("DELETE", "/v1/views/<view_id>", "deleteView", scope="runs:read")
@saved_views.response(204)
def delete_view(view_id: str) -> Response:
    """Forget a view of one's own."""
    service.delete(world(), principal(), view_id)
    return Response(status=204)
