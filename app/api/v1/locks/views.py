"""Resource locks (contracts/runs.rst#locks)."""

from typing import Any

from flask import Response

from app.api.http import paging
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.locks import show
from app.api.v1.locks.schemas import RESOURCE, LockQuery, LockShape, ReleaseBody
from app.domain.errors import ValidationFailed
from app.domain.ids import RESOURCE_LOCK
from app.services import naming
from app.services import runs as service

locks = Family("locks", "Who holds which resource, since when, and who waits for it.")


@locks.serve("GET", "/v1/locks", "listLocks", scope="runs:read", errors=(409,))
@locks.arguments(LockQuery, location="query")
@locks.response(200, LockShape(many=True), example=[examples.LOCK])
def list_locks(query: dict[str, Any]) -> Answer:
    """Every lock, newest first, or that of one resource."""
    resource = query.get("resource")
    if resource is not None:
        resource = naming.lock_of(world(), resource)
    found, shown = show.page(resource, paging.window(query))
    return paging.answer(query, found, shown)


@locks.serve("DELETE", "/v1/locks/<path:resource>", "releaseLock", scope="admin")
@locks.arguments(ReleaseBody, example={"reason": "machine was rebuilt by hand"})
@locks.response(204)
def release_lock(body: dict[str, Any], resource: str) -> Response:
    """Take a lock away from its run; written into the run's log with actor and reason."""
    resource = naming.lock_of(world(), resource)
    if not RESOURCE_LOCK.fullmatch(resource):
        raise ValidationFailed.of("resource", RESOURCE.error or "is malformed")
    service.release_lock(world(), principal(), resource, body["reason"])
    return Response(status=204)
