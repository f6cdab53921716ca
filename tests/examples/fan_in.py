"""Fan-out and fan-in: items at the same time, results in their order, then one step over all of them."""

from typing import Any

from windlass import Context, workflow
from windlass.testing import Harness


def process_item(item: dict[str, Any]) -> int:
    return int(item["value"]) * 2


@workflow("process-items")
def process_items(ctx: Context, given: dict[str, Any]) -> Any:
    items = given["items"]
    results = ctx.parallel([ctx.call(f"process-{item['id']}", process_item, item) for item in items])
    return {"results": results}


@workflow("aggregate-results")
def aggregate_results(ctx: Context, given: dict[str, Any]) -> Any:
    items = given["items"]
    results = ctx.parallel(
        [ctx.call(f"process-{item['id']}", lambda item=item: process_item(item)) for item in items]
    )
    return ctx.step("aggregate", lambda: {"total": sum(results), "results": results})


if __name__ == "__main__":
    numbers = {"items": [{"id": n, "value": n} for n in range(5)]}
    with Harness() as h:
        print(h.start(process_items, numbers).result())
        print(h.start(aggregate_results, numbers).result())
