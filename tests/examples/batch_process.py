"""Batch processing: the items at the same time, then a summary."""

from typing import Any

from tests.examples.standins import Row, client
from windlass import Context, workflow
from windlass.testing import Harness


def get_batch(batch_id: str) -> list[Row]:
    return client.collection("batch_items").get_list(batchId=batch_id, status="pending")


def process_item(item: Row) -> Row:
    result = {"item": item["id"], "success": item["size"] != 3}
    client.collection("batch_items").update(item["id"], {"status": "completed", "result": result})
    return result


def summarize(results: list[Row]) -> Row:
    succeeded = sum(result["success"] for result in results)
    return {"total": len(results), "succeeded": succeeded, "failed": len(results) - succeeded}


@workflow("batch-process")
def batch_process(ctx: Context, given: dict[str, Any]) -> Any:
    batch_id = given["batchId"]
    items = ctx.step("get-batch", get_batch, batch_id)
    results = ctx.parallel([ctx.call(f"process-{item['id']}", process_item, item) for item in items])
    summary = ctx.step("aggregate", summarize, results)
    done = {"status": "completed", "summary": summary}
    ctx.step("update-batch", client.collection("batches").update, batch_id, done)
    return summary


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(batch_process, {"batchId": "batch-1"}).result())
