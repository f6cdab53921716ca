"""Rate limited: a second between items, in which no worker is held; one step name, used again and again."""

from typing import Any

from windlass import Context, workflow
from windlass.testing import Harness


def process_item(item: int) -> int:
    return item * item


@workflow("rate-limited-workflow")
def rate_limited(ctx: Context, given: dict[str, Any]) -> Any:
    items = given["items"]
    for item in items:
        ctx.step("process-item", process_item, item)
        ctx.sleep("1s")
    return {"processed": len(items)}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(rate_limited, {"items": [1, 2, 3]}).result())
