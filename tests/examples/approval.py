"""Approval: the run waits for a signal, for as long as it takes."""

from typing import Any

from tests.examples.standins import Row
from windlass import Context, workflow
from windlass.testing import Harness


def request_expense(amount: int) -> Row:
    return {"status": "pending", "amount": amount}


def process_payment(amount: int) -> Row:
    return {"paid": True, "amount": amount}


def notify_rejection() -> Row:
    return {"notified": True}


@workflow("approval-workflow")
def approval_workflow(ctx: Context, given: dict[str, Any]) -> Any:
    amount = given["amount"]
    ctx.step("request-expense", request_expense, amount)
    approval = ctx.wait_for_signal("manager-approval")
    if approval["approved"]:
        ctx.step("process-payment", process_payment, amount)
        return {"status": "approved"}
    ctx.step("notify-rejection", notify_rejection)
    return {"status": "rejected", "reason": approval["reason"]}


if __name__ == "__main__":
    with Harness() as h:
        run = h.start(approval_workflow, {"amount": 100})
        run.signal("manager-approval", {"approved": True, "comment": "Approved for processing"})
        print(run.result())
