"""batch.servers, batch.taskservs and batch.removal: one operation of a batch with its items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from marshmallow import INCLUDE, Schema

from app.domain.plan import Do, Plan, each
from app.domain.policy import COLLECT
from app.domain.run_kind import RunKind
from chains.catalogue import workflow
from tasks import batch, instance, mirror, taskserv
from tasks.step import Step


class Items(Schema):
    """Input of an operation: its items, how often and for how long each is tried, how many at once."""

    class Meta:
        """Whoever accepts a batch has checked its definition."""

        unknown = INCLUDE


# Declares an operation of a batch. They make servers, of clouds too, and run programs on them.
operation = partial(
    workflow,
    expects=Items,
    on_failure="keep",
    scope="servers:write",
    kind=RunKind.BATCH,
    ordered_by="POST /v1/workflows/batch/submit",
)


@operation("batch.servers", eta="1m")
def make_servers(given: Mapping[str, object]) -> Plan:
    """Make the servers of an operation."""
    return _items(instance.create, given)


@operation("batch.taskservs", eta="2m")
def install_taskservs(given: Mapping[str, object]) -> Plan:
    """Install the taskservs of an operation on its servers."""
    return _items(taskserv.install, given)


@operation("batch.removal", eta="1m")
def remove_items(given: Mapping[str, object]) -> Plan:
    """Undo what an operation made."""
    return _items(taskserv.remove if given.get("of") == "taskservs" else instance.remove, given)


def _items(made_by: Step, given: Mapping[str, Any]) -> Plan:
    """The step for each item, with the patience that the definition of the batch asks for.

    Clouds are spoken to by workers of their own: a slow one keeps nothing else waiting.
    """
    items: Sequence[Mapping[str, object]] = given.get("items") or ()
    local = all(item.get("provider", "local") == "local" for item in items)
    spec = replace(
        made_by.spec,
        timeout_ms=int(given.get("timeout_ms") or made_by.spec.timeout_ms),
        queue=made_by.spec.queue if local else "cloud",
    )
    if len(items) == 1:  # Most operations are one item: then there is nothing to fan out and to join.
        return Plan((Do(spec, {"policy": given.get("policy"), "item": items[0]}),))
    body = Plan((Do(spec, {"policy": given.get("policy")}),))
    return (
        each("items", "item", body, gives="results", join=COLLECT, limit=given.get("limit")) | batch.judge()
    )


@operation("batch.mirror", eta="2s")
def copy_checkpoint(_given: Mapping[str, object]) -> Plan:
    """Copy a checkpoint to where the batch wants it."""
    return mirror.write()
