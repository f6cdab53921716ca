"""Order processing: what was done is undone, newest first, when a later step fails."""

from typing import Any

from tests.examples.standins import Row, client, send_mail
from windlass import Context, workflow
from windlass.testing import Harness


class Unshippable(Exception):
    """The carrier does not take it."""


def validate_order(order_id: str) -> Row:
    return client.collection("orders").get_one(order_id)


def charge(order: Row) -> Row:
    return client.collection("payments").update(order["id"], {"charged": order["total"]})


def refund(order: Row, result: Row | None = None) -> None:
    client.collection("payments").update(order["id"], {"charged": 0})


def reserve(items: list[str]) -> list[Row]:
    return [client.collection("stock").update(item, {"reserved": True}) for item in items]


def release(items: list[str]) -> None:
    for item in items:
        client.collection("stock").update(item, {"reserved": False})


def ship(order: Row) -> Row:
    if "anvil" in order["items"]:
        raise Unshippable("an anvil is too heavy")
    return {"parcel": f"parcel-of-{order['id']}"}


@workflow("process-order")
def process_order(ctx: Context, given: dict[str, Any]) -> Any:
    order = ctx.step("validate-order", validate_order, given["orderId"])
    ctx.step("process-payment", charge, order, undo=refund)
    ctx.step("update-inventory", reserve, order["items"], undo=release)
    ctx.step("ship-order", ship, order)
    ctx.step("send-confirmation", send_mail, order["email"], "Order confirmed")
    return {"shipped": True}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(process_order, {"orderId": "order-1"}).result())
        print(h.start(process_order, {"orderId": "order-2"}).finish().undone)
