"""Who works, and what waits for them."""

from typing import Any

from app.api.http.context import world
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.workers.schemas import QueueShape, WorkerShape
from app.services import workers as service

workers = Family("workers", "Who works: worker pools, reconcilers and projectors, and the queues they serve.")


@workers.serve("GET", "/v1/workers", "listWorkers", scope="runs:read")
@workers.response(200, WorkerShape(many=True), example=[examples.WORKER])
def list_workers() -> Any:
    """Everybody who was heard of within the last half minute."""
    return world().db.read(service.working)


@workers.serve("GET", "/v1/queues", "listQueues", scope="runs:read")
@workers.response(200, QueueShape(many=True), example=[examples.QUEUE])
def list_queues() -> Any:
    """Every queue, how many messages are in it, and who serves it; a message is a hint."""
    return service.queues(world())
