"""Who works, and what waits for them."""

from typing import Any

from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.workers.schemas import QueueShape, WorkerBody, WorkerChanged, WorkerShape
from app.services import workers as service

workers = Family("workers", "Who works: worker pools, reconcilers and projectors, and the queues they serve.")


@workers.serve("GET", "/v1/workers", "listWorkers", scope="runs:read")
@workers.response(200, WorkerShape(many=True), example=[examples.WORKER])
def list_workers() -> Answer:
    """Everybody who was heard of within the last half minute."""
    return world().db.read(service.working)


@workers.serve("POST", "/v1/workers/<path:name>/drain", "drainWorker", scope="admin")
@workers.arguments(WorkerBody, required=False, example={"reason": "memory is replaced"})
@workers.response(200, WorkerChanged, example={"name": "default@host-1", "drained": True})
def drain_worker(body: dict[str, Any], name: str) -> Answer:
    """Let a pool take nothing new, within ten seconds and until it is resumed; what it does ends."""
    return service.drain(world(), principal(), name, body.get("reason"))


@workers.serve("POST", "/v1/workers/<path:name>/resume", "resumeWorker", scope="admin")
@workers.arguments(WorkerBody, required=False, example={"reason": "memory was replaced"})
@workers.response(200, WorkerChanged, example={"name": "default@host-1", "drained": False})
def resume_worker(body: dict[str, Any], name: str) -> Answer:
    """Let a pool take work again, within ten seconds."""
    return service.resume(world(), principal(), name, body.get("reason"))


@workers.serve("GET", "/v1/queues", "listQueues", scope="runs:read")
@workers.response(200, QueueShape(many=True), example=[examples.QUEUE])
def list_queues() -> Answer:
    """Every queue, how many messages are in it, and who serves it; a message is a hint."""
    return service.queues(world())
