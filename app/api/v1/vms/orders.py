"""From the body of a new machine to what the inventory keeps of it."""

from collections.abc import Mapping

from app.api.http import orders
from app.api.v1.vms.schemas import CONTENT

Row = dict[str, object]


def content_of(body: Mapping[str, object]) -> Row:
    """What is said about the machine, with what it consists of under ``content``."""
    values = orders.without(body, (*orders.ABOUT_RUN, *CONTENT))
    labels = {name: body[name] for name in ("labels",) if name in body}  # Names of others: left as they are.
    content = {name: body[name] for name in CONTENT if name in body and name != "labels"}
    return {**values, "content": {**orders.spelled(content), **labels}}
