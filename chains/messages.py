"""What travels to a worker: one Celery task for each kind of message, and what its arguments mean.

A message is a hint. It says where something may be to do, and SQL decides what is done. So one that is lost,
doubled or late does no harm, and neither does one of another release: its signature does not fit, it is
dropped, and what it spoke of is published again from SQL.
"""

from dataclasses import astuple, dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class LinkMessage:
    """A run may be able to advance: claim ``first`` of ``phase``, if ``gen`` is still what is expected."""

    TASK: ClassVar[str] = "windlass.link"
    run_id: str
    phase: str  # "forward" or "comp".
    first: str
    gen: int


@dataclass(frozen=True, kw_only=True)
class WakeUp:
    """Something waits in this queue: whoever is free claims what is due."""

    TASK: ClassVar[str] = "windlass.wake_up"
    queue: str


@dataclass(frozen=True, kw_only=True)
class DeliveryMessage:
    """A webhook delivery is due: claim it, if ``fence`` is still that of its row."""

    TASK: ClassVar[str] = "windlass.deliver"
    delivery_id: str
    fence: int


TaskMessage = LinkMessage | WakeUp | DeliveryMessage


def args_of(message: TaskMessage) -> tuple[object, ...]:
    """The arguments of the message's Celery task, in the order of its fields: what is sent and signed."""
    return astuple(message)
