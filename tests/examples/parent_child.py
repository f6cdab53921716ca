"""A parent waits for its child without polling; the child knows its parent. Limits stop a runaway."""

from typing import Any

from windlass import Context, workflow
from windlass.testing import Harness


@workflow("child-workflow")
def child_workflow(ctx: Context, given: dict[str, Any]) -> Any:
    return {"parentRunId": ctx.parent_run_id, "value": given["value"] + 1}


@workflow("parent-workflow")
def parent_workflow(ctx: Context, given: dict[str, Any]) -> Any:
    child = ctx.run_child("child-workflow", given)
    return {"runId": ctx.run_id, "child": child}


@workflow("data-processing", max_events=100, execution_timeout=60000)
def data_processing(ctx: Context, given: dict[str, Any]) -> Any:
    for n in range(given["rounds"]):
        ctx.step("round", lambda n=n: n)
    return {"rounds": given["rounds"]}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(parent_workflow, {"value": 1}).result())
