"""The last act: a batch over both doubled clouds and this machine fails, is undone, succeeds once mended."""

from app.cli.batch_tree import monitor
from app.cli.demo.stage import PATIENCE_S, Stage, Unexpected
from windlass import Batch

FAILS_ONCE = {"fail_attempts": 1}  # Counted by the sandbox: the second batch finds it mended.


def play(stage: Stage) -> None:
    """Submitted, undone by itself, submitted again, rolled back by hand."""
    stage.headline(
        "9. A batch over two clouds and this machine: a failure is undone, the mended one completes"
    )
    definition = _definition(stage.stamp)
    planned = stage.client.batches.plan(definition)
    stage.say(f"It has {planned.total_items} items in {len(planned.levels)} levels; nothing is stored yet.")
    _see(stage, "submit a batch", definition, "RolledBack")
    stage.say("The machine is mended, and the same definition is submitted again.")
    made = _see(stage, "submit it again", definition, "Completed")
    for operation in made.operations:
        items = ", ".join(item.name for item in operation.items)
        stage.say(f"  {operation.status:<10} {operation.id}: {items}")
    stage.client.batches.rollback(made.workflow_id)
    undone = stage.client.batches.wait(made.workflow_id, timeout_s=PATIENCE_S)
    _check(undone, "RolledBack")
    stage.say("Rolled back by hand: each of its servers is gone again.")


def _see(stage: Stage, what: str, definition: dict[str, object], expected: str) -> Batch:
    """Follow a batch to its end; raises `Unexpected` unless it ends as expected."""
    batch_id = stage.client.batches.submit(definition).workflow_id or ""
    stage.say(f"-- {what}: batch {batch_id}")
    monitor(stage.client, batch_id)
    batch = stage.client.batches.wait(batch_id, timeout_s=PATIENCE_S)
    _check(batch, expected)
    for operation in batch.operations:
        if operation.error:
            stage.say(f"It failed at {operation.id}: {operation.error['message']}")
    return batch


def _check(batch: Batch, expected: str) -> None:
    if batch.status != expected:
        raise Unexpected(f"Batch {batch.workflow_id} should have ended {expected}; it is {batch.status}.")


def _definition(stamp: str) -> dict[str, object]:
    def servers(
        id_: str, provider: str, plan: str, zone: str, *names: str, **more: object
    ) -> dict[str, object]:
        configs = [{"name": f"{name}-{stamp}", "plan": plan, "zone": zone, **more} for name in names]
        return {"id": id_, "type": "server_batch", "provider": provider, "server_configs": configs}

    front = servers("web", "upcloud", "1xCPU-2 GB", "de-fra1", "web-1", "web-2")
    data = servers("data", "aws", "1xCPU-2 GB", "eu-central-1a", "data-1")
    edge = servers("edge", "local", "small", "here", "edge-1", rehearsal=FAILS_ONCE)
    runtime = {"id": "runtime", "type": "taskserv_batch", "provider": "local", "taskservs": ["containerd"]}
    needs = {"dependencies": ["web", "data"]}
    return {
        "name": f"demo-{stamp}",
        "retry_policy": {"max_attempts": 1},
        "operations": [front, data, {**edge, **needs}, {**runtime, "dependencies": ["edge"]}],
    }
