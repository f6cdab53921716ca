"""batch.workflow and batch.rollback: graphs of operations, and the graph that undoes them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import INCLUDE, Schema

from app.domain.plan import Plan, graph
from app.domain.run_kind import RunKind
from chains.catalogue import workflow
from tasks import batch


class Graphed(Schema):
    """Input of a batch: `batch_id`, its name, and how many operations may run at once."""

    class Meta:
        """Whoever accepts a batch has checked its definition."""

        unknown = INCLUDE


@workflow(
    "batch.workflow",
    resource="batch",
    expects=Graphed,
    eta="5m",
    on_failure="keep",
    hold="24h",
    locks=False,
    scope="servers:write",
    kind=RunKind.BATCH,
    ordered_by="POST /v1/workflows/batch/submit",
)
def run_batch(given: Mapping[str, Any]) -> Plan:
    """Run the operations of a batch, each when what it needs has ended."""
    return graph(batch.operations.spec, gives="operations", limit=given.get("limit"))


@workflow(
    "batch.rollback",
    resource="batch",
    expects=Graphed,
    eta="2m",
    on_failure="keep",
    locks=False,
    scope="servers:write",
    kind=RunKind.BATCH,
    ordered_by="POST /v1/workflows/batch/{id}/rollback",
)
def undo_batch(given: Mapping[str, Any]) -> Plan:
    """Undo what a batch made, newest first."""
    return graph(batch.removals.spec, gives="operations", limit=given.get("limit"))
